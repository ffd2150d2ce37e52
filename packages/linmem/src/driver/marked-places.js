// In a trace from a page: positions in scripts, which the page has marked (src/browser/places.js), become places in
// words. The rest of the trace goes through as it is.

import { placeOf } from "../browser/places.js";

// A text begins with its length: a number of so many bytes at most.
const LONGEST_NUMBER = 3;
const LONGEST_TEXT = 8192;

/** What a page says of a frame, in words: without a source map. */
export const wordsOf = ({ before, file, line, column, after, origin }) => before + placeOf(file, line, column, origin) + after;

export class MarkedPlaces {
  #mark;
  #rest = Buffer.alloc(0);

  /** `mark` is what stands before each position. */
  constructor(mark) {
    this.#mark = Buffer.from(mark);
  }

  /** Takes a part of the trace; returns what can go on, as bytes and as positions. */
  take(bytes) {
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const parts = [];
    let from = 0;
    const goOn = (to) => {
      if (to > from) parts.push(data.subarray(from, to));
      from = to;
    };
    for (let at = 0; (at = data.indexOf(this.#mark, at)) >= 0; at += this.#mark.length) {
      const { start, length } = lengthBefore(data, at, from);
      if (length < this.#mark.length || length > LONGEST_TEXT) continue;
      if (at + length > data.length) return this.#keep(data, start, goOn, parts);
      const place = parsed(data.subarray(at + this.#mark.length, at + length));
      if (place === undefined) continue;
      goOn(start);
      parts.push(place);
      from = at + length;
    }
    // A mark may have begun.
    const safe = data.length - (this.#mark.length + LONGEST_NUMBER);
    return this.#keep(data, Math.max(safe, from), goOn, parts);
  }

  #keep(data, at, goOn, parts) {
    goOn(at);
    this.#rest = Buffer.from(data.subarray(at));
    return parts;
  }

  /** What is held back, since a mark may have begun. */
  get rest() {
    return this.#rest;
  }

  /** What is held back goes on: no mark has begun. */
  finish() {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest.length === 0 ? [] : [rest];
  }
}

/** A text as a trace has it. */
export function textOf(words) {
  const bytes = Buffer.from(words);
  const length = [];
  let left = bytes.length;
  for (; left >= 0x80; left >>= 7) length.push((left & 0x7f) | 0x80);
  return Buffer.from([...length, left, ...bytes]);
}

// The number that ends before `at`. Before it stands a 0: the frame is of the host.
function lengthBefore(data, at, from) {
  let start = at - 1;
  while (start > from && at - start < LONGEST_NUMBER && data[start - 1] >= 0x80) start--;
  let length = 0;
  for (let byte = at - 1; byte >= start; byte--) length = (length << 7) | (data[byte] & 0x7f);
  return start >= from ? { start, length } : { start: at, length: 0 };
}

// It is a stranger's: anything else stays as it is.
function parsed(bytes) {
  try {
    const [before, file, line, column, after, origin] = JSON.parse(bytes.toString());
    const isPlace = [before, file, after, origin].every((text) => typeof text === "string") && [line, column].every(Number.isInteger);
    return isPlace ? { before, file, line, column, after, origin } : undefined;
  } catch {
    return undefined;
  }
}
