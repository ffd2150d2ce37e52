// The DevTools protocol over a pair of pipes: JSON, and a zero byte after each message.

const END = 0;

export class DevTools {
  #to;
  #pending = new Map();
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
    const of = session === undefined ? "" : `,"sessionId":${JSON.stringify(session)}`;
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    // Whoever does not wait for the answer does not need it.
    answer.catch(() => {});
    if (this.#to.destroyed) this.#fail(id, "Chromium has ended");
    else this.#to.write(`{"id":${id},"method":"${method}","params":${params}${of}}\0`);
    return answer;
  }

  #fail(id, reason) {
    this.#pending.get(id).reject(new Error(reason));
    this.#pending.delete(id);
  }

  #close() {
    for (const id of [...this.#pending.keys()]) this.#fail(id, "Chromium has ended");
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

  #handle({ id, method, params, result, error, sessionId }) {
    if (method !== undefined) return this.#listeners.get(method)?.(params, sessionId);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (error === undefined) pending.resolve(result);
    else pending.reject(new Error(error.message));
  }
}
