// Frames of V8's call sites in a page. The same place is the same frame each time.

import { moduleFrame, placedFrame } from "../record/v8-sites.js";
import { frameAt } from "./places.js";

/** Frames of call sites, `isOwn` says of a file whether it is the recorder's; `mark` is as in places.js. */
export class CallSites {
  #isOwn;
  #mark;
  #known = new Map();

  constructor(isOwn, mark) {
    this.#isOwn = isOwn;
    this.#mark = mark;
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
    return frameAt(this.#mark, (place) => placedFrame(site, place).text, shown, site.getLineNumber(), site.getColumnNumber());
  }
}
