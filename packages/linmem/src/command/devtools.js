// The DevTools protocol over a pair of pipes: JSON, and a zero byte after each message.

import { Answers, around } from "../driver/answers.js";

const END = 0;

const ENDED = "Chromium has ended";

export class DevTools {
  #to;
  #answers = new Answers();
  #listeners = new Map();
  #count = 0;
  #parts = [];

  /** `to` and `from` are the streams of the pipes. */
  constructor(to, from) {
    this.#to = to;
    to.on("error", () => this.#close());
    from.on("data", (bytes) => this.#receive(bytes));
    from.on("error", () => this.#close());
    from.on("close", () => this.#close());
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
    const answer = this.#answers.to(id);
    const [before, after] = around(id, method, session);
    if (this.#to.destroyed) this.#answers.fail(ENDED);
    else this.#to.write(`${before}${params}${after}\0`);
    return answer;
  }

  #close() {
    this.#answers.fail(ENDED);
    this.#to.destroy();
  }

  #receive(bytes) {
    let from = 0;
    for (let end; (end = bytes.indexOf(END, from)) >= 0; from = end + 1) {
      this.#parts.push(bytes.subarray(from, end));
      const message = Buffer.concat(this.#parts.splice(0));
      this.#handle(JSON.parse(message.toString()));
    }
    if (from < bytes.length) this.#parts.push(bytes.subarray(from));
  }

  #handle(message) {
    const { method, params, sessionId } = message;
    if (method !== undefined) this.#listeners.get(method)?.(params, sessionId);
    else this.#answers.take(message);
  }
}
