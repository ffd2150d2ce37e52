// Under `linmem browser`: what is recorded goes out through a function that the DevTools protocol has added, one text
// each time.
//
//   b<id>           the recording with this id begins
//   t<id><base64>   a part of its trace
//   e<id>           it has ended
//   c<id><text>     a line for the user

import { watchScope } from "./scope.js";

// A program may replace them.
const { addEventListener, btoa, crypto } = globalThis;
const { apply } = Reflect;
const { fromCharCode } = String;

// As many arguments as an engine surely takes.
const PART = 8192;

/** Watches this page or worker, for a driver that listens to the function of this name. */
export function recordFor({ binding, ...settings }) {
  const post = globalThis[binding];
  delete globalThis[binding];
  const id = newId();
  const send = (kind, text = "") => post(kind + id + text);
  let hasEnded = false;
  const sink = (bytes) => {
    if (!hasEnded) send("t", base64Of(bytes));
  };
  const complain = (message) => send("c", message);

  watchScope({ ...settings, sink, complain }, (recorder) => {
    // What happens from now on is not recorded.
    const end = () => {
      if (hasEnded) return;
      if (recorder.isKept) recorder.end(0);
      hasEnded = true;
      send("e");
    };
    endWithScope(recorder, end);
    send("b");
    return { end };
  });
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

// A page is left, or a worker closes itself. Nobody tells a worker that it is terminated.
function endWithScope({ patch }, end) {
  addEventListener?.("pagehide", ({ persisted }) => persisted || end());
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
