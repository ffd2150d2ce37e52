// The DevTools protocol of a browser that Playwright drives. Playwright gives sessions of its own, but passes on nothing of the
// sessions that these would have, so workers would be out of reach. An empty page, which Playwright does not know, can be
// given all of the protocol: it passes on what it is sent.

import { Answers, around } from "../driver/answers.js";

const PAGE_SAYS = "linmemSays";
const PROTOCOL = "linmemProtocol";

// Runs in the empty page: texts that are large and come again are kept there.
const RELAY = `(() => {
  const { ${PROTOCOL}: protocol, ${PAGE_SAYS}: says } = globalThis;
  const kept = [];
  let first = { kinds: [] };
  const greet = ({ sessionId, targetInfo, waitingForDebugger: waits }) => {
    if (!waits || !first.kinds.includes(targetInfo.type)) return;
    for (const [method, number] of first.commands) protocol.send('{"id":0,"method":"' + method + '","params":' + kept[number] + ',"sessionId":"' + sessionId + '"}');
  };
  protocol.onmessage = (message) => {
    if (message.startsWith('{"method":"Target.attachedToTarget"')) greet(JSON.parse(message).params);
    says(message);
  };
  globalThis.sendFirst = (kinds, commands) => (first = { kinds, commands });
  globalThis.keep = (text) => kept.push(text) - 1;
  globalThis.pass = (before, number, after) => protocol.send(before + (kept[number] ?? "") + after);
})()`;

const LARGE = 100_000;

export class Channel {
  #root;
  #page;
  #listeners = new Map();

  // What was sent, to the page and by it, and has no answer yet.
  #asked = new Answers();
  #sent = new Answers();
  #count = 0;

  // Texts that the page has, by their numbers there.
  #kept = new Map();

  /** `browser` is Playwright's. */
  static async open(browser) {
    const channel = new Channel();
    await channel.#open(await browser.newBrowserCDPSession());
    return channel;
  }

  async #open(root) {
    this.#root = root;
    root.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => sessionId === this.#page?.sessionId && this.#hearPage(JSON.parse(message)));
    root.on("close", () => this.#fail());
    const { browserContextId } = await root.send("Target.createBrowserContext", { disposeOnDetach: true });
    const { targetId } = await root.send("Target.createTarget", { url: "about:blank", browserContextId, background: true });
    const { sessionId } = await root.send("Target.attachToTarget", { targetId, flatten: false });
    this.#page = { targetId, sessionId };
    await root.send("Target.exposeDevToolsProtocol", { targetId, bindingName: PROTOCOL });
    await this.#ask("Runtime.enable");
    await this.#ask("Runtime.addBinding", { name: PAGE_SAYS });
    await this.#evaluate(RELAY);
  }

  /** Calls `listen(params, session)` at each event of this name. */
  on(event, listen) {
    this.#listeners.set(event, listen);
  }

  /** Sends a command, to a session of a target if there is one; resolves to its result. */
  send(method, params = {}, session = undefined) {
    return this.sendText(method, JSON.stringify(params), session);
  }

  /** The same with parameters that are JSON already. */
  sendText(method, params, session) {
    const id = ++this.#count;
    const answer = this.#sent.to(id);
    const [before, after] = around(id, method, session);
    const texts = params.length < LARGE ? [before + params, -1, after] : [before, this.#keep(params), after];
    this.#evaluate(`pass(${texts.map((text) => JSON.stringify(text)).join()})`).catch((error) => this.#sent.take({ id, error }));
    return answer;
  }

  /** Has commands, pairs of a method and parameters in JSON, sent to waiting targets of some kinds sooner than anybody else could do it. No answers are heard. */
  async sendFirst(kinds, commands) {
    const kept = commands.map(([method, params]) => [method, this.#keep(params)]);
    await this.#evaluate(`sendFirst(${JSON.stringify(kinds)}, ${JSON.stringify(kept)})`);
  }

  #keep(text) {
    if (!this.#kept.has(text)) {
      this.#kept.set(text, this.#kept.size);
      this.#evaluate(`keep(${JSON.stringify(text)})`).catch(() => {});
    }
    return this.#kept.get(text);
  }

  /** Lets go of the browser. */
  async close() {
    await this.#root.detach().catch(() => {});
    this.#fail();
  }

  async #evaluate(expression) {
    const { exceptionDetails } = await this.#ask("Runtime.evaluate", { expression });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  #ask(method, params = {}) {
    const id = ++this.#count;
    const answer = this.#asked.to(id);
    const message = JSON.stringify({ id, method, params });
    this.#root.send("Target.sendMessageToTarget", { sessionId: this.#page.sessionId, message }).catch((error) => this.#asked.take({ id, error }));
    return answer;
  }

  #hearPage(message) {
    if (message.id !== undefined) return this.#asked.take(message);
    const { method, params } = message;
    if (method === "Runtime.bindingCalled" && params.name === PAGE_SAYS) this.#hear(JSON.parse(params.payload));
  }

  #hear(message) {
    if (message.id !== undefined) return this.#sent.take(message);
    const { method, params, sessionId } = message;
    // The page itself is not part of what is driven.
    if (params?.targetInfo?.targetId !== this.#page.targetId) return this.#listeners.get(method)?.(params, sessionId);
    if (method === "Target.attachedToTarget") this.send("Target.detachFromTarget", { sessionId: params.sessionId });
  }

  #fail() {
    for (const answers of [this.#asked, this.#sent]) answers.fail("the browser has ended");
  }
}
