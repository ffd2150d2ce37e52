// Sends what is recorded to the server of the page, in parts that are numbered: the last ones go while others are under
// way. The other side is src/vite/endpoint.js.
//
//   p<id><JSON>   before all else: `{ isDocument, url, page }`, the page that a frame is in
//   w<id>         the document may be left now: its workers send what they have, too
//   g<id>         it is gone

import { RECORDER } from "./watcher.js";

// A program may replace them.
const { addEventListener, BroadcastChannel, fetch } = globalThis;
const { stringify } = JSON;
const now = performance.now.bind(performance);

// What a part has at most; and what may still be sent by a page that is gone.
const MOST_CHARACTERS = 4 << 20;
const MOST_WHEN_GONE = 60_000;

// A page that goes elsewhere waits so long, in milliseconds: for its workers, and for each so many characters, which would
// not be sent after it.
const FOR_WORKERS = 200;
const CHARACTERS_A_MILLISECOND = 50_000;
const LONGEST_WAIT = 500;

export class Posts {
  #server;
  #id;
  #parts = 0;
  #waiting = [];
  #underWay = 0;
  #kept = 0;
  #lengthUnderWay = 0;
  #isDocument = globalThis.document !== undefined;
  #isRefused = false;
  #atRest = [];

  // The workers of a page do not hear that it is left. How many there are does not matter.
  #workers;
  #hasWorkers = false;

  /** Texts of the recording with this id go to `server`, `{ address, token }`. */
  constructor(server, id) {
    this.#server = server;
    this.#id = id;
  }

  /** Begins, with a recording that can be told to `leave`. Returns what others find of it. */
  begin({ leave }) {
    const isDocument = this.#isDocument;
    this.post(`p${this.#id}${stringify({ isDocument, url: globalThis.location.href, page: isDocument ? pageOf() : undefined })}`);
    this.#workers = BroadcastChannel === undefined ? undefined : new BroadcastChannel(`linmem ${this.#server.token}`);
    if (isDocument) addEventListener("pagehide", () => this.#gone());
    if (this.#workers !== undefined) this.#workers.onmessage = ({ data }) => (data === "leave" ? isDocument || leave() : (this.#hasWorkers = true));
    if (!isDocument) this.#workers?.postMessage("here");
    return { id: this.#id, finish: () => this.#finish(leave) };
  }

  post(text) {
    if (this.#isRefused) return;
    this.#waiting.push(text);
    if (this.#underWay === 0) this.#send();
  }

  /** The page may be left: what waits goes now. What goes elsewhere at once would take the rest with it. */
  left(isAtOnce) {
    if (this.#isRefused) return;
    if (this.#isDocument) {
      this.#workers?.postMessage("leave");
      this.#waiting.push(`w${this.#id}`);
    }
    this.#sendAll();
    if (isAtOnce && this.#isDocument) this.#linger();
  }

  // Nothing but work keeps a page.
  #linger() {
    const ofOthers = this.#hasWorkers ? FOR_WORKERS : 0;
    const end = now() + Math.min(LONGEST_WAIT, ofOthers + this.#lengthUnderWay / CHARACTERS_A_MILLISECOND);
    while (now() < end);
  }

  #sendAll() {
    while (this.#waiting.length > 0) this.#send(true);
  }

  // Sends a snapshot of everything; settles when the server has all of it, from workers too.
  async #finish(leave) {
    leave();
    if (this.#underWay > 0) await new Promise((resolve) => this.#atRest.push(resolve));
    if (!this.#isRefused) await this.#request("settled", "").catch(() => {});
  }

  #gone() {
    if (this.#isRefused) return;
    this.#waiting.push(`g${this.#id}`);
    this.#sendAll();
  }

  // With `isLast`, the page may be gone before it is sent.
  #send(isLast = false) {
    let count = 0;
    for (let length = 0; count < this.#waiting.length && (count === 0 || length < MOST_CHARACTERS); count++) length += this.#waiting[count].length;
    const body = this.#waiting.splice(0, count).join("\n");
    const kept = isLast && this.#kept + body.length < MOST_WHEN_GONE ? body.length : 0;
    this.#underWay++;
    this.#kept += kept;
    this.#lengthUnderWay += body.length;
    this.#request("part", body, kept > 0).then(({ ok }) => ok, () => false).then((isTaken) => this.#sent(isTaken, kept, body.length));
  }

  #sent(isTaken, kept, length) {
    this.#underWay--;
    this.#kept -= kept;
    this.#lengthUnderWay -= length;
    if (!isTaken) this.#isRefused = true;
    if (this.#isRefused) this.#waiting = [];
    if (this.#underWay > 0) return;
    if (this.#waiting.length > 0) this.#send();
    else this.#atRest.splice(0).forEach((resolve) => resolve());
  }

  #request(what, body, keepalive = false) {
    const { address, token } = this.#server;
    const number = what === "part" ? this.#parts++ : this.#parts;
    const headers = { "Content-Type": "text/plain", "Linmem-Token": token, "Linmem-Recording": this.#id, "Linmem-Part": String(number) };
    return fetch(address + what, { method: "POST", headers, body, keepalive });
  }
}

// The recording of the topmost page, if this is a frame in it.
function pageOf() {
  try {
    return globalThis.top[RECORDER]?.id;
  } catch {
    return undefined;
  }
}
