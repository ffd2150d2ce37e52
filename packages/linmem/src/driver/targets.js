// Every page, frame and worker of a browser waits before its own code until the recorder is in it.

import { BINDING, OWN, asking } from "./source.js";

// The browser has pages of its own.
const OTHERS = ["browser", "browser_ui", "tab"].map((type) => ({ type, exclude: true }));
const AUTO_ATTACH = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true, filter: [...OTHERS, {}] };

// A worker that waits for another one does not answer, in milliseconds.
const PATIENCE = 10_000;

// For a thread of a page, what it has not sent comes from the page.
const PATIENCE_WITH_THREADS = 2000;

const KINDS_OF_DOCUMENT = ["page", "iframe"];

// The origins of a page's first document, in which nothing runs.
const EMPTY = ["", "://"];

// Workers that somebody else lets go on without waiting for us: what is short mostly comes sooner.
const HASTY = ["service_worker", "shared_worker"];

const LATE = "its code may have run before the recorder came";

export class Targets {
  #devtools;
  #recordings;
  #complain;
  #isShared;

  // Parameters of commands, made once: they are large.
  #expression;
  #firstScript;

  // By session: `{ number, session, kind, name }`.
  #attached = new Map();
  #count = 0;
  #pending = new Set();

  // By session: the scripts that it has, while it is asked for them.
  #scripts = new Map();

  #firstPage = deferred();
  #lastPage = deferred();

  /**
   * `source` is what each target runs first; `complain(line)` tells the user something. If somebody else drives this browser
   * too, and has put the source into the documents, `short` is the source without the library.
   */
  constructor(devtools, recordings, { source, short, complain }) {
    const isShared = short !== undefined;
    this.#devtools = devtools;
    this.#recordings = recordings;
    this.#complain = complain;
    this.#isShared = isShared;
    this.#expression = `{"expression":${JSON.stringify(source)}}`;
    this.#firstScript = `{"runImmediately":true,"source":${JSON.stringify(source)}}`;
    devtools.on("Target.attachedToTarget", (event) => this.#attach(event));
    devtools.on("Target.detachedFromTarget", ({ sessionId }) => this.#detach(sessionId));
    devtools.on("Target.targetInfoChanged", ({ targetInfo }) => this.#rename(targetInfo));
    devtools.on("Runtime.bindingCalled", (event, session) => this.#hear(event, session));
    devtools.on("Runtime.exceptionThrown", ({ exceptionDetails }, session) => this.#thrown(exceptionDetails, session));
    if (isShared) {
      devtools.on("Runtime.executionContextCreated", ({ context }, session) => this.#meetDocument(context, session));
      devtools.on("Debugger.scriptParsed", (script, session) => this.#scripts.get(session)?.push(script));
    } else devtools.on("Runtime.consoleAPICalled", (_, session) => this.#forget(session));
    const prepared = isShared ? devtools.sendFirst(HASTY, [JSON.stringify({ expression: short }), this.#expression].map((params) => ["Runtime.evaluate", params])) : Promise.resolve();
    /** Settles when this begins. */
    this.begun = prepared.then(() => devtools.send("Target.setAutoAttach", AUTO_ATTACH));
    devtools.send("Target.setDiscoverTargets", { discover: true });
  }

  /** Opens a URL in the empty page that Chromium begins with; returns why that failed. */
  async open(url) {
    const session = await this.#firstPage.promise;
    // A new page would not wait for the recorder.
    const { errorText } = await this.#devtools.send("Page.navigate", { url }, session);
    return errorText;
  }

  /** Settles when the last page is closed. */
  get closed() {
    return this.#lastPage.promise;
  }

  /** Settles when all targets that are there have what they get. */
  async ready() {
    // What has come before the answer is known.
    await this.#devtools.send("Target.getTargets");
    await this.#all([...this.#pending], (hooked) => hooked);
  }

  /** Has all recordings that go on send what they have, with a snapshot. */
  save() {
    return this.#ask("save");
  }

  /** Ends all recordings that go on, after their garbage is collected if that is asked for. */
  async end({ collect }) {
    if (collect) await this.#all([...this.#attached.keys()], (session) => this.#collect(session));
    // The page has the last word on the memories that it shares with its workers.
    const isDocument = ({ target }) => KINDS_OF_DOCUMENT.includes(target.kind);
    await this.#ask("stop", isDocument);
    const isThread = ({ page }) => page !== undefined;
    await Promise.all([
      this.#ask("end", (recording) => !isDocument(recording) && !isThread(recording)),
      this.#ask("end", isThread, PATIENCE_WITH_THREADS),
    ]);
    await this.#ask("end", isDocument);
  }

  #ask(method, isMeant = () => true, patience = PATIENCE) {
    const ask = ({ target, context }) => this.#devtools.send("Runtime.evaluate", { expression: asking(method), contextId: context }, target.session);
    return this.#all(this.#recordings.unfinished.filter(isMeant), ask, patience);
  }

  // What is left to finalizers runs in a turn of its own.
  async #collect(session) {
    if (this.#isShared) this.#forget(session);
    for (let round = 0; round < 2; round++) {
      await this.#devtools.send("HeapProfiler.collectGarbage", {}, session);
      await this.#devtools.send("Runtime.evaluate", { expression: "new Promise((done) => setTimeout(done))", awaitPromise: true }, session);
    }
  }

  /** Lets go of all targets. */
  async leave() {
    await this.#devtools.send("Target.setAutoAttach", { autoAttach: false, waitForDebuggerOnStart: false, flatten: true }).catch(() => {});
  }

  async #all(list, run, patience = PATIENCE) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, patience)));
    await Promise.race([late, Promise.allSettled(list.map(run))]);
    clearTimeout(timer);
  }

  #attach({ sessionId: session, targetInfo: { targetId, type: kind, url }, waitingForDebugger: waits }) {
    const target = { number: this.#count++, session, targetId, kind, waits, name: nameOf(kind, url) };
    this.#attached.set(session, target);
    const send = (method, params) => this.#devtools.send(method, params, session);
    // Else the next document would not have the binding.
    send("Runtime.enable");
    const bound = send("Runtime.addBinding", { name: BINDING });
    const hooked = KINDS_OF_DOCUMENT.includes(kind) ? this.#hookDocuments(send, session, bound) : this.#hook(target);
    this.#remember(hooked);
    hooked.then(() => (target.isHooked = true), () => {});
    send("Target.setAutoAttach", AUTO_ATTACH);
    // A dedicated worker would hear this before the rest is done; a service worker does the rest only then.
    const ready = kind === "service_worker" ? Promise.resolve() : hooked.catch(() => {});
    const resumed = ready.then(() => send("Runtime.runIfWaitingForDebugger"));
    hooked.catch((error) => this.#notHooked(target, error));
    resumed.then(() => kind === "page" && this.#firstPage.resolve(session), () => {});
  }

  #remember(hooked) {
    this.#pending.add(hooked);
    const forget = () => this.#pending.delete(hooked);
    hooked.then(forget, forget);
  }

  #hookDocuments(send, session, bound) {
    if (this.#isShared) return bound;
    send("Page.enable");
    return this.#devtools.sendText("Page.addScriptToEvaluateOnNewDocument", this.#firstScript, session);
  }

  async #hook({ session, waits }) {
    if (this.#isShared && !waits) throw new Error(LATE);
    const { exceptionDetails } = await this.#devtools.sendText("Runtime.evaluate", this.#expression, session);
    if (exceptionDetails !== undefined) throw new Error(reasonIn(exceptionDetails));
    if (this.#isShared) await this.#checkOrder(session);
  }

  // Somebody else may have let a worker go on before. Its scripts are numbered as they were compiled.
  async #checkOrder(session) {
    const scripts = [];
    this.#scripts.set(session, scripts);
    await this.#devtools.send("Debugger.enable", {}, session);
    this.#devtools.send("Debugger.disable", {}, session);
    this.#scripts.delete(session);
    const first = Math.min(...scripts.filter(({ url }) => url === OWN).map(({ scriptId }) => scriptId));
    const isEarlier = ({ scriptId, url }) => url !== "" && url !== OWN && scriptId < first;
    if (scripts.some(isEarlier)) throw new Error(LATE);
  }

  // The recorder should be in it by now, and may have waited for the binding.
  async #meetDocument({ id, auxData, origin }, session) {
    const target = this.#attached.get(session);
    if (target === undefined || !KINDS_OF_DOCUMENT.includes(target.kind) || !auxData?.isDefault || EMPTY.includes(origin)) return;
    const { name } = target;
    const met = this.#devtools.send("Runtime.evaluate", { expression: asking("meet"), contextId: id }, session);
    this.#remember(met);
    // One that is gone by now cannot be asked.
    const { result } = await met.catch(() => ({}));
    if (result !== undefined && !this.#recordings.has(result.value)) this.#notHooked({ ...target, name }, new Error(LATE));
  }

  // In a document nobody waits for the script's result.
  #thrown(details, session) {
    const frames = details.stackTrace?.callFrames ?? [];
    const isOurs = details.text === "Uncaught" && frames.length > 0 && frames.every(({ url }) => url === OWN);
    const target = this.#attached.get(session);
    if (isOurs && target !== undefined) this.#notHooked(target, new Error(reasonIn(details)));
  }

  // One that is gone by now has not done anything.
  #notHooked(target, { message }) {
    if (this.#attached.has(target.session)) this.#complain(`${target.name} is not watched: ${message}`);
  }

  #detach(session) {
    const target = this.#attached.get(session);
    this.#attached.delete(session);
    if (target !== undefined && this.#isShared) this.#checkEnded(target);
    if (![...this.#attached.values()].some(({ kind }) => kind === "page")) this.#lastPage.resolve();
  }

  // A worker for which nobody waited may have done its work, and be gone, before anything is known of it.
  #checkEnded({ targetId, kind, name, isHooked }) {
    const isAttachedTwice = [...this.#attached.values()].some((other) => other.targetId === targetId);
    if (HASTY.includes(kind) && !isHooked && !isAttachedTwice) this.#complain(`${name} is not watched: ${LATE}`);
  }

  #rename({ targetId, type, url }) {
    for (const target of this.#attached.values()) if (target.targetId === targetId) target.name = nameOf(type, url);
  }

  // What a page says to its console is kept for DevTools: it would never be collected.
  #forget(session) {
    this.#devtools.send("Runtime.releaseObjectGroup", { objectGroup: "console" }, session);
    this.#devtools.send("Runtime.discardConsoleEntries", {}, session);
  }

  #hear({ name, payload, executionContextId }, session) {
    const target = this.#attached.get(session);
    if (name === BINDING && target !== undefined && typeof payload === "string") this.#recordings.take(target, executionContextId, payload);
  }
}

const reasonIn = ({ exception, text }) => exception?.description?.split("\n", 1)[0] ?? text;

const nameOf = (kind, url) => `${kind.replaceAll("_", " ")} ${url || "about:blank"}`;

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
