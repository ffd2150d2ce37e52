// Text into a guest's memory, as UTF-8 with a NUL behind it.

import { ArgumentError, EmbeddedNulError, LoneSurrogateError } from "./errors.js";
import { describe } from "./memory.js";
import { loopLimit } from "./runtime.js";

const utf8 = new TextEncoder();

export class Encoder {
  #memory;
  #allocator;
  #options;

  constructor(memory, allocator, options) {
    this.#memory = memory;
    this.#allocator = allocator;
    this.#options = options;
  }

  /** Writes text and NUL to `room` bytes at `at`. Returns the text's length in bytes, or -1 if it has no room. */
  write(text, at, room) {
    const units = lengthOf(text);
    if (units >= room) return -1;
    if (units <= loopLimit && writeAscii(text, this.#memory.view, at)) return units;
    const admitted = this.#admit(text);
    const { read, written } = this.#encodeInto(admitted, at, room - 1);
    if (read < admitted.length) return -1;
    this.#memory.view[at + written] = 0;
    return written;
  }

  /** Writes text and NUL to a new block. `exact` gives back what a guess had too much. */
  place(text, exact) {
    lengthOf(text);
    const admitted = this.#admit(text);
    const units = admitted.length;
    const address = this.#allocator.malloc(units + 1);
    if (units <= loopLimit && writeAscii(admitted, this.#memory.view, address)) {
      return { address, size: units + 1, length: units };
    }
    const { read, written } = this.#encodeInto(admitted, address, units);
    if (read < units) return this.#placeRest(admitted, read, address, written, exact);
    this.#memory.view[address + written] = 0;
    return { address, size: units + 1, length: written };
  }

  /** The bytes of a text, without NUL. */
  bytes(text) {
    lengthOf(text);
    return utf8.encode(this.#admit(text));
  }

  // A code unit takes three bytes at most, and a text that isn't ASCII usually more than one.
  #placeRest(text, read, first, written, exact) {
    const guess = written + 3 * (text.length - read) + 1;
    const address = this.#allocator.realloc(first, text.length + 1, guess);
    const rest = this.#encodeInto(text.slice(read), address + written, guess - written - 1);
    const length = written + rest.written;
    this.#memory.view[address + length] = 0;
    if (!exact) return { address, size: guess, length };
    return { address: this.#allocator.realloc(address, guess, length + 1), size: length + 1, length };
  }

  #encodeInto(text, at, room) {
    const target = this.#memory.window(at, room);
    if (!this.#memory.copies) return utf8.encodeInto(text, target);
    const copy = new Uint8Array(Math.min(room, 3 * text.length));
    const result = utf8.encodeInto(text, copy);
    target.set(copy.subarray(0, result.written));
    return result;
  }

  // The text as the options let it pass.
  #admit(text) {
    const { onNul, onLoneSurrogate } = this.#options;
    const nul = onNul === "allow" ? -1 : text.indexOf("\0");
    if (nul >= 0 && onNul === "error") {
      throw new EmbeddedNulError(
        `the text has a NUL at index ${nul}, where a C string ends: remove it, or use onNul: "truncate", or "allow" and pass the length too`,
        { index: nul },
      );
    }
    const admitted = nul >= 0 ? text.slice(0, nul) : text;
    if (onLoneSurrogate === "error") rejectLoneSurrogates(admitted);
    return admitted;
  }
}

function rejectLoneSurrogates(text) {
  const index = text.search(/\p{Surrogate}/u);
  if (index < 0) return;
  throw new LoneSurrogateError(
    `the text has half of a surrogate pair at index ${index}, which UTF-8 cannot hold: repair it with toWellFormed(), or use onLoneSurrogate: "replace"`,
    { index },
  );
}

function lengthOf(text) {
  if (typeof text !== "string") throw new ArgumentError(`expected a string, got ${describe(text)}`);
  return text.length;
}

// Writes text and NUL. False at a code unit that is not for this loop: NUL, or not ASCII.
function writeAscii(text, view, at) {
  const units = text.length;
  for (let i = 0; i < units; i++) {
    const unit = text.charCodeAt(i);
    if (unit - 1 >>> 0 >= 127) return false;
    view[at + i] = unit;
  }
  view[at + units] = 0;
  return true;
}
