// Under a driver, `linmem browser` or `linmem/playwright`: what is recorded goes out through a function that the DevTools
// protocol has added, one text each time.
//
//   b<id>           the recording with this id begins
//   t<id><base64>   a part of its trace
//   s<id>           this was a snapshot; the page goes on
//   l<id>           the page may be left now: this was a snapshot, and nothing follows if it is
//   e<id>           it has ended
//   c<id><text>     a line for the user

import { early } from "./globals.js";
import { watchScope, watcher } from "./scope.js";

const [btoa, setTimeout] = ["btoa", "setTimeout"].map(early);
const { apply } = Reflect;
const { fromCharCode } = String;

// A server has answered by then, mostly.
const HOLD_MILLISECONDS = 5000;

// As many arguments as an engine surely takes.
const PART = 8192;

/** Watches this page or worker, for a driver that listens to the function of this name. */
export function recordFor({ binding, ...settings }) {
  const { library } = settings;
  // A driver may come twice: what it brings is for the recorder that is here already.
  watcher()?.supply?.(library);
  watcher()?.meet?.();
  const post = poster(binding);
  const id = newId();
  const send = (kind, text = "") => post(kind + id + text);
  const complain = (message) => send("c", message);
  const outlet = new Outlet(send);

  watchScope({ ...settings, sink: (bytes) => outlet.put(bytes), complain }, (recorder) => {
    const leave = () => {
      if (outlet.isHeld || outlet.isClosed || !recorder.isKept) return;
      recorder.snapshot();
      recorder.records.tick();
      outlet.hold();
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
    // A driver that comes later than the page hears what it has missed.
    const meet = () => {
      post();
      return id;
    };
    endWithWorker(recorder, end);
    send("b");
    const supply = (found) => void Object.assign(library, found);
    return { end, leave, save, meet, supply };
  });
}

/** Posts to the function of this name. Until there is one, what is posted is kept. */
function poster(name) {
  let post;
  const kept = [];
  const take = () => {
    const found = globalThis[name];
    if (typeof found !== "function") return;
    post ??= found;
    delete globalThis[name];
  };
  take();
  return (...texts) => {
    kept.push(...texts);
    take();
    if (post !== undefined) kept.splice(0).forEach((text) => post(text));
  };
}

/** Where the trace goes out. */
class Outlet {
  #send;
  #held;

  isClosed = false;

  constructor(send) {
    this.#send = send;
  }

  put(bytes) {
    if (this.isClosed) return;
    if (this.isHeld) this.#held.push(bytes.slice());
    else this.#send("t", base64Of(bytes));
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

function newId() {
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
