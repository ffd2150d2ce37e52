// Lines of the sources that a page's scripts were made of, by the scripts' source maps. Both are strangers'.

import { SourceMap } from "node:module";
import { wordsOf } from "./marked-places.js";

// More than any page needs.
const MOST_SCRIPTS = 2000;

export class SourceMaps {
  #load;

  // By file: a map, a promise of one, or undefined where there is none.
  #maps = new Map();

  /** `load(file, origin)` gives the parsed map of a script in a page of this origin, or a promise of it; undefined if there is none. */
  constructor(load) {
    this.#load = load;
  }

  /** A position that a page has marked, in words; or a promise of them. */
  wordsOf(place) {
    const map = this.#mapOf(place);
    return map instanceof Promise ? map.then((loaded) => mapped(place, loaded)) : mapped(place, map);
  }

  #mapOf({ file, origin }) {
    if (!this.#maps.has(file)) {
      if (this.#maps.size >= MOST_SCRIPTS || !/^https?:/.test(file)) return undefined;
      this.#maps.set(file, this.#loaded(file, origin));
    }
    return this.#maps.get(file);
  }

  #loaded(file, origin) {
    const keep = (payload) => {
      const map = readable(payload);
      this.#maps.set(file, map);
      return map;
    };
    try {
      const payload = this.#load(file, origin);
      return payload instanceof Promise ? payload.catch(() => undefined).then(keep) : readable(payload);
    } catch {
      return undefined;
    }
  }
}

function readable(payload) {
  try {
    return payload === undefined ? undefined : new SourceMap(payload);
  } catch {
    return undefined;
  }
}

function mapped(place, map) {
  const { line, column } = place;
  const { generatedLine, originalSource, originalLine, originalColumn } = found(map, line - 1, column - 1);
  // What comes before is another line's.
  if (generatedLine !== line - 1 || typeof originalSource !== "string" || originalSource === "") return wordsOf(place);
  const file = sourceOf(originalSource, map.payload.sourceRoot, place.file);
  return wordsOf({ ...place, file, line: originalLine + 1, column: originalColumn + 1 });
}

function found(map, line, column) {
  try {
    return map?.findEntry(line, column) ?? {};
  } catch {
    return {};
  }
}

// Sources are relative to the script. Those of bundlers have a scheme of their own: `webpack://app/./src/main.ts`.
function sourceOf(source, root, file) {
  const whole = typeof root === "string" && root !== "" ? `${root.replace(/\/$/, "")}/${source}` : source;
  if (!URL.canParse(whole, file)) return whole;
  const url = new URL(whole, file);
  return /^(https?|file):$/.test(url.protocol) ? url.href : url.pathname.replace(/^\/+/, "");
}
