// Text into a guest's memory, as UTF-8 with a NUL behind it.

import { ArgumentError, EmbeddedNulError, LoneSurrogateError } from "./errors.js";
import { describe, indexOfNul } from "./memory.js";
import { hasNativeBuffer, loopLimit } from "./runtime.js";

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
    const short = units <= loopLimit ? writeShort(text, this.#memory.view, at, room) : -1;
    return short < 0 ? this.#writeLong(text, at, room) : short;
  }

  /** Writes text and NUL to a new block. `exact` gives back what a guess had too much. */
  place(text, exact) {
    lengthOf(text);
    const admitted = this.#admit(text);
    const placed = this.#put(admitted);
    const { address, size, length } = placed;
    if (!this.#terminate(admitted, address, length)) {
      this.#allocator.release(address, size);
      rejectNul(admitted);
    }
    if (!exact || size === length + 1) return placed;
    return { address: this.#allocator.realloc(address, size, length + 1), size: length + 1, length };
  }

  /** The bytes of a text, without NUL. */
  bytes(text) {
    lengthOf(text);
    if (this.#options.onNul === "error" && text.includes("\0")) rejectNul(text);
    return utf8.encode(this.#admit(text));
  }

  #writeLong(text, at, room) {
    const admitted = this.#admit(text);
    const { read, written } = this.#encodeInto(admitted, at, room - 1);
    if (read < admitted.length) return -1;
    if (!this.#terminate(admitted, at, written)) rejectNul(admitted);
    return written;
  }

  // A code unit takes three bytes at most, and one if the text is ASCII, which its beginning suggests.
  #put(text) {
    const units = text.length;
    const size = (beginsAscii(text) ? units : 3 * units) + 1;
    const address = this.#allocator.malloc(size);
    const short = units <= loopLimit ? writeShort(text, this.#memory.view, address, size) : -1;
    if (short >= 0) return { address, size, length: short };
    const { read, written } = this.#encodeInto(text, address, size - 1);
    return read < units ? this.#putRest(text.slice(read), { address, size, length: written }) : { address, size, length: written };
  }

  #putRest(rest, { address, size, length }) {
    const larger = length + 3 * rest.length + 1;
    const moved = this.#allocator.realloc(address, size, larger);
    const { written } = this.#encodeInto(rest, moved + length, larger - length - 1);
    return { address: moved, size: larger, length: length + written };
  }

  #encodeInto(text, at, room) {
    const target = this.#memory.window(at, room);
    if (!this.#memory.copies) return utf8.encodeInto(text, target);
    const copy = new Uint8Array(Math.min(room, 3 * text.length));
    const result = utf8.encodeInto(text, copy);
    target.set(copy.subarray(0, result.written));
    return result;
  }

  // Puts a NUL behind a text. False when it is not the first, which a C string ends at. V8 finds none
  // in bytes faster than in text that isn't ASCII: NUL is half of each Latin code unit there.
  #terminate(text, at, length) {
    const { view } = this.#memory;
    view[at + length] = 0;
    if (this.#options.onNul !== "error") return true;
    return hasNativeBuffer ? indexOfNul(view, at) === at + length : !text.includes("\0");
  }

  // The text as the options let it pass, except a NUL that is an error.
  #admit(text) {
    const { onNul, onLoneSurrogate } = this.#options;
    const admitted = onNul === "truncate" ? text.split("\0", 1)[0] : text;
    if (onLoneSurrogate === "error") rejectLoneSurrogates(admitted);
    return admitted;
  }
}

function rejectNul(text) {
  const index = text.indexOf("\0");
  throw new EmbeddedNulError(
    `the text has a NUL at index ${index}, where a C string ends: remove it, or use onNul: "truncate", or "allow" and pass the length too`,
    { index },
  );
}

function beginsAscii(text) {
  const end = Math.min(text.length, loopLimit);
  for (let i = 0; i < end; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
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

// Writes text and NUL to `room` bytes, of which the text has less code units. Returns the length in
// bytes, or -1 if it has no room or is not for this loop: it has a NUL, or half of a surrogate pair.
function writeShort(text, view, at, room) {
  const units = text.length;
  for (let i = 0; i < units; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127 || unit === 0) return writeUnicode(text, i, view, at, room);
    view[at + i] = unit;
  }
  view[at + units] = 0;
  return units;
}

// Goes on at a code unit that isn't ASCII.
function writeUnicode(text, i, view, at, room) {
  const units = text.length;
  let spare = room - units - 1;
  let to = at + i;
  for (; i < units; i++) {
    const code = text.codePointAt(i);
    if (code < 0x80) {
      if (code === 0) return -1;
      view[to++] = code;
      continue;
    }
    spare -= code < 0x800 ? 1 : 2;
    if (spare < 0 || code >> 11 === 0x1b) return -1;
    if (code < 0x800) view[to++] = 0xc0 | code >> 6;
    else {
      if (code < 0x10000) view[to++] = 0xe0 | code >> 12;
      else {
        i++;
        view[to++] = 0xf0 | code >> 18;
        view[to++] = 0x80 | code >> 12 & 63;
      }
      view[to++] = 0x80 | code >> 6 & 63;
    }
    view[to++] = 0x80 | code & 63;
  }
  view[to] = 0;
  return to - at;
}
