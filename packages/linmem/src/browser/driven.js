// With a driver: what is recorded goes out to it, one text each time.
//
//   b<id>           the recording with this id begins
//   t<id><base64>   a part of its trace
//   s<id>           this was a snapshot; the page goes on
//   l<id>           the page may be left now: this was a snapshot, and nothing follows if it is
//   e<id>           it has ended
//   c<id><text>     a line for the user
//   j<id><page's id>:<thread>      the recording is that of a thread of this page, which may send what the thread does not
//   r<id><thread>:<at>:<base64>    a part of the trace of a thread of this page, from this byte on

import { early } from "./globals.js";
import { connect, ofDocument } from "./page-threads.js";
import { watchScope } from "./scope.js";

const [btoa, setTimeout] = ["btoa", "setTimeout"].map(early);
const { apply } = Reflect;
const { fromCharCode } = String;

// A server has answered by then, mostly.
const HOLD_MILLISECONDS = 5000;

// As many arguments as an engine surely takes.
const PART = 8192;

// As many bytes as a driver takes at once.
const MOST_BYTES = 1 << 20;

/**
 * Watches this page or worker, for a driver to which `post(text)` sends a text. `left(isAtOnce)` is called after the last
 * texts before the page may be left, perhaps at once. What the page can find of it has what `more({ leave })` returns, too. `reachesWorkers` says that every
 * worker has a recorder for the same driver.
 */
export function recordFor({ id, post, left = () => {}, more = () => {}, isMarked, reachesWorkers = false, ...settings }) {
  const send = (kind, text = "") => post(kind + id + text);
  const complain = (message) => send("c", message.replace(/\s+/g, " "));
  const outlet = new Outlet(send);
  const sink = (bytes) => outlet.put(bytes);
  const threads = reachesWorkers ? ofDocument(id, outlet) : undefined;

  watchScope({ ...settings, mark: isMarked ? id : undefined, sink, complain, threads }, (recorder) => {
    if (reachesWorkers) connect(recorder, threads, outlet);
    const leave = (event) => {
      if (outlet.isHeld || outlet.isClosed) return;
      if (recorder.isKept) {
        recorder.snapshot();
        recorder.records.tick();
        outlet.hold();
      }
      left(event?.type === "beforeunload");
    };
    // What happens from now on is not recorded.
    const end = () => {
      if (outlet.isClosed) return;
      outlet.release();
      if (recorder.isKept) recorder.end(0);
      outlet.close();
    };
    const save = () => {
      if (outlet.isClosed) return;
      outlet.release();
      if (!recorder.isKept) return;
      recorder.snapshot();
      recorder.records.tick();
      send("s");
    };
    // What threads do with shared memories from now on is not recorded.
    const stop = () => recorder.threads.stop();
    // A driver may bring the library later.
    const supply = (library) => void Object.assign(settings.library, library);
    endWithWorker(recorder, end);
    const found = { end, leave, save, stop, supply, ...more({ leave }) };
    send("b");
    return found;
  });
}

/** Where the trace goes out. */
class Outlet {
  #send;
  #held;

  isClosed = false;

  /** How many bytes were sent. */
  size = 0;

  constructor(send) {
    this.#send = send;
  }

  put(bytes) {
    if (this.isClosed) return;
    if (this.isHeld) this.#held.push(bytes.slice());
    else {
      this.size += bytes.length;
      for (let at = 0; at < bytes.length; at += MOST_BYTES) this.#send("t", base64Of(bytes.subarray(at, at + MOST_BYTES)));
    }
  }

  /** This is a thread of a page. */
  join(page, thread) {
    this.#send("j", `${page}:${thread}`);
  }

  /** Sends for another thread of the page. */
  putRest(thread, at, bytes) {
    if (!this.isClosed) this.#send("r", `${thread}:${at}:${base64Of(bytes)}`);
  }

  get isHeld() {
    return this.#held !== undefined;
  }

  /**
   * The page may be left, in which case a snapshot is to be the last that is heard: what is sent when the page is hidden
   * comes too late in part. It may stay, too.
   */
  hold() {
    this.#send("l");
    this.#held = [];
    setTimeout(() => this.release(), HOLD_MILLISECONDS);
  }

  release() {
    const held = this.#held ?? [];
    this.#held = undefined;
    held.forEach((bytes) => this.put(bytes));
  }

  close() {
    this.isClosed = true;
    this.#send("e");
  }
}

/** Tells one recording from all others. */
export function newId() {
  const digits = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(digits, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64Of(bytes) {
  if (bytes.toBase64 !== undefined) return bytes.toBase64();
  let text = "";
  for (let at = 0; at < bytes.length; at += PART) text += apply(fromCharCode, undefined, bytes.subarray(at, at + PART));
  return btoa(text);
}

// A worker may close itself. Nobody tells it that it is terminated.
function endWithWorker({ patch }, end) {
  const owner = globalThis.document === undefined ? ownerOf("close") : undefined;
  if (owner === undefined) return;
  patch.call(owner, "close", (target, self, values) => {
    end();
    return apply(target, self, values);
  });
}

function ownerOf(name) {
  let object = globalThis;
  while (object !== null && !Object.hasOwn(object, name)) object = Object.getPrototypeOf(object);
  return object ?? undefined;
}
