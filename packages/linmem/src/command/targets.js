// Every page, frame and worker of a browser waits before its own code until the recorder is in it.

import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";
import { about } from "./command-error.js";

const SCRIPT = new URL("../../dist/browser.js", import.meta.url);
const LIBRARY = new URL("../../dist/linmem.wasm", import.meta.url);

// What the recorder's own code is called in stacks.
const OWN = "linmem:recorder";

const BINDING = "__linmem_recorded";
const END = 'globalThis[Symbol.for("linmem.browser")]?.end()';

// The browser has pages of its own.
const OTHERS = ["browser", "browser_ui", "tab"].map((type) => ({ type, exclude: true }));
const AUTO_ATTACH = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true, filter: [...OTHERS, {}] };

// A worker that waits for another one does not answer, in milliseconds.
const PATIENCE = 10_000;

const KINDS_OF_DOCUMENT = ["page", "iframe"];

export class Targets {
  #devtools;
  #recordings;
  #complain;
  #source;

  // By session: `{ number, session, kind, name }`.
  #attached = new Map();
  #count = 0;

  #firstPage = deferred();
  #lastPage = deferred();

  /** `source` is what each target runs first; `complain(line)` tells the user something. */
  constructor(devtools, recordings, { source, complain }) {
    this.#devtools = devtools;
    this.#recordings = recordings;
    this.#complain = complain;
    this.#source = JSON.stringify(source);
    devtools.on("Target.attachedToTarget", (event) => this.#attach(event));
    devtools.on("Target.detachedFromTarget", ({ sessionId }) => this.#detach(sessionId));
    devtools.on("Target.targetInfoChanged", ({ targetInfo }) => this.#rename(targetInfo));
    devtools.on("Runtime.bindingCalled", (event, session) => this.#hear(event, session));
    devtools.on("Runtime.exceptionThrown", ({ exceptionDetails }, session) => this.#thrown(exceptionDetails, session));
    devtools.on("Runtime.consoleAPICalled", (_, session) => this.#forget(session));
    devtools.send("Target.setAutoAttach", AUTO_ATTACH);
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

  /** Ends all recordings that go on, after their garbage is collected if that is asked for. */
  async end({ collect }) {
    if (collect) await this.#all([...this.#attached.keys()], (session) => this.#collect(session));
    await this.#all(this.#recordings.unfinished, ({ target, context }) =>
      this.#devtools.send("Runtime.evaluate", { expression: END, contextId: context }, target.session));
  }

  // What is left to finalizers runs in a turn of its own.
  async #collect(session) {
    for (let round = 0; round < 2; round++) {
      await this.#devtools.send("HeapProfiler.collectGarbage", {}, session);
      await this.#devtools.send("Runtime.evaluate", { expression: "new Promise((done) => setTimeout(done))", awaitPromise: true }, session);
    }
  }

  async #all(list, run) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE)));
    await Promise.race([late, Promise.allSettled(list.map(run))]);
    clearTimeout(timer);
  }

  #attach({ sessionId: session, targetInfo: { targetId, type: kind, url } }) {
    const target = { number: this.#count++, session, targetId, kind, name: nameOf(kind, url) };
    this.#attached.set(session, target);
    const send = (method, params) => this.#devtools.send(method, params, session);
    // Else the next document would not have the binding.
    send("Runtime.enable");
    send("Runtime.addBinding", { name: BINDING });
    const hooked = KINDS_OF_DOCUMENT.includes(kind) ? this.#hookDocuments(send, session) : this.#hook(session);
    send("Target.setAutoAttach", AUTO_ATTACH);
    // A dedicated worker would hear this before the rest is done; a service worker does the rest only then.
    const ready = kind === "service_worker" ? Promise.resolve() : hooked.catch(() => {});
    const resumed = ready.then(() => send("Runtime.runIfWaitingForDebugger"));
    hooked.catch((error) => this.#notHooked(target, error));
    resumed.then(() => kind === "page" && this.#firstPage.resolve(session), () => {});
  }

  #hookDocuments(send, session) {
    send("Page.enable");
    return this.#devtools.sendText("Page.addScriptToEvaluateOnNewDocument", `{"runImmediately":true,"source":${this.#source}}`, session);
  }

  async #hook(session) {
    const { exceptionDetails } = await this.#devtools.sendText("Runtime.evaluate", `{"expression":${this.#source}}`, session);
    if (exceptionDetails !== undefined) throw new Error(reasonIn(exceptionDetails));
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
    this.#attached.delete(session);
    if (![...this.#attached.values()].some(({ kind }) => kind === "page")) this.#lastPage.resolve();
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

/**
 * What every target runs first. The library goes along, as no target could load it at once by itself: deflated, since
 * the protocol takes longer for the rest than a target for inflating it, and only those that compile a module do that.
 */
export async function sourceWith(hints) {
  const [script, wasm] = [SCRIPT, LIBRARY].map((file) => about("linmem's own files, made by `npm run build`", () => readFileSync(file), "cannot read "));
  const deflated = await promisify(deflateRaw)(wasm);
  const library = { deflated: deflated.toString("base64"), length: wasm.length };
  const settings = { own: OWN, isModule: false, library, hints, binding: BINDING, isMarked: true };
  return `((LINMEM_SETTINGS) => {${script}})(${JSON.stringify(settings)});\n//# sourceURL=${OWN}`;
}
