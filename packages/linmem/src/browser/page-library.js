// The linmem library in a page or a worker. It has to be there at once, when the first module is compiled.

import { compile } from "../record/engine.js";
import { inflate } from "./inflate.js";
import { early } from "./globals.js";
import { Library } from "../library/library.js";

const atob = early("atob");

// A program may replace them.
const { XMLHttpRequest } = globalThis;
const { open, overrideMimeType, send } = XMLHttpRequest?.prototype ?? {};
const { apply } = Reflect;

/**
 * Gives the library the first time that it is asked for: from its URL, or from its bytes, of which there are `length`,
 * deflated and in base64. All of this may be there later than the function.
 */
export function libraryFrom(place) {
  let library;
  return () => (library ??= new Library(compile(bytesFrom(place))));
}

function bytesFrom({ url, deflated, length }) {
  if (deflated !== undefined) return inflate(decoded(deflated), length);
  if (url === undefined) throw new Error("linmem's library has not come yet");
  return fetched(url);
}

// An engine that decodes by itself is ten times as fast.
function decoded(base64) {
  return Uint8Array.fromBase64?.(base64) ?? bytesOf(atob(base64));
}

// Requests that do not let the page go on are the only ones that are done before the page's module is compiled.
function fetched(url) {
  if (XMLHttpRequest === undefined) throw new Error("linmem's library cannot be loaded here");
  const request = new XMLHttpRequest();
  apply(open, request, ["GET", url, false]);
  apply(overrideMimeType, request, ["text/plain; charset=x-user-defined"]);
  apply(send, request, []);
  if (request.status !== 200) throw new Error(`linmem's library cannot be loaded from ${url}: status ${request.status}`);
  return bytesOf(request.responseText);
}

// Each character has one byte in its lower half.
function bytesOf(text) {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
