// Stacks as V8 gives them to `Error.prepareStackTrace`: call sites. The same place is the same frame each time.

import { placeOf } from "./places.js";

/** Takes call sites; the page's own handler and limit are put back at once. */
export function callSites(depth) {
  if (Object.isFrozen(Error)) return [];
  const handler = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = depth;
    Error.prepareStackTrace = (_, sites) => sites;
    const { stack } = new Error();
    return Array.isArray(stack) ? stack : [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (handler) Object.defineProperty(Error, "prepareStackTrace", handler);
    else delete Error.prepareStackTrace;
  }
}

const POSITION = /wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/;

/** Frames of call sites, `isOwn` says of a file whether it is the recorder's. */
export class CallSites {
  #isOwn;
  #known = new Map();

  constructor(isOwn) {
    this.#isOwn = isOwn;
  }

  /** The frame of a call site; undefined for what belongs to the engine or to the recorder. */
  frameOf(site) {
    // Code that was made from a text may be named by a comment in it.
    const file = site.getScriptNameOrSourceURL();
    // An eval's code has no file, and its positions are those of many texts.
    if (!file) return this.#hostFrame(site, undefined);
    if (!this.#known.has(file)) this.#known.set(file, new Map());
    const frames = this.#known.get(file);
    const position = site.getPosition();
    if (!frames.has(position)) frames.set(position, file.startsWith("wasm://") ? moduleFrame(site, file) : this.#hostFrame(site, file));
    return frames.get(position);
  }

  #hostFrame(site, file) {
    const shown = file ?? (site.isEval() ? "eval" : undefined);
    if (shown === undefined || this.#isOwn(shown)) return undefined;
    const place = placeOf(shown, site.getLineNumber(), site.getColumnNumber());
    const name = site.getFunctionName();
    if (!name) return { text: place };
    return { text: `${site.isAsync() ? "async " : ""}${site.isConstructor() ? "new " : ""}${name} (${place})` };
  }
}

function moduleFrame(site, url) {
  const [, index, digits] = POSITION.exec(String(site));
  return { url, index: Number(index), offset: parseInt(digits, 16), name: site.getFunctionName() ?? undefined };
}
