// Text out of a guest's memory: where it ends, and what its bytes mean.

import { InvalidUtf8Error, UnterminatedError } from "./errors.js";
import { address, hex, indexOfNul } from "./memory.js";
import { guestSearchesFaster, hasNativeBuffer } from "./runtime.js";

// Up to so many code units a loop and one String.fromCharCode beat every native call.
const SHORT = 16;

// Safari up to 18 fails once a decoder has seen 2 GiB.
const DECODER_LIMIT = 0x7fffffff;

export class Decoder {
  /** How many bytes the last text from `short` has, with its NUL. */
  size = 0;

  #memory;
  #guard;
  #options;
  #strlen;

  /** `strlen` is the guest's, or undefined. */
  constructor(memory, guard, options, strlen) {
    this.#memory = memory;
    this.#guard = guard;
    this.#options = options;
    this.#strlen = guestSearchesFaster ? strlen : undefined;
  }

  /** The text from `start` to its NUL, or undefined if that is not short and well-formed: `end` and `text` know more. */
  short(start) {
    const { view } = this.#memory;
    const limit = start === 0 ? -1 : Math.min(SHORT, this.#options.scanLimit);
    for (let i = 0; i <= limit; i++) {
      const byte = view[start + i];
      if (byte >= 0x80) return this.#shortUnicode(view, start);
      if (byte === 0) {
        this.size = i + 1;
        return fromUnits(view, start, i);
      }
    }
  }

  /** The address of the NUL that ends the string at `start`. */
  end(start) {
    const view = this.#memory.check(start, 1);
    const last = Math.min(start + this.#options.scanLimit + 1, view.length);
    const end = this.#ask(start, last) ?? search(this.#memory.view, start, last);
    return end < 0 ? this.#unterminated(start, last) : end;
  }

  /** The text between two addresses, which must have been checked. */
  text(start, end) {
    const { view } = this.#memory;
    const short = end - start <= SHORT ? shortAscii(view, start, end) : undefined;
    if (short !== undefined) return short;
    const text = decode(view, start, end, this.#memory.copies);
    if (this.#options.invalid === "fatal" && text.includes("\ufffd")) rejectInvalid(view, start, end);
    return text;
  }

  // Sequences as in Table 3-7 of Unicode: neither too long for their character, nor half of a pair.
  #shortUnicode(view, start) {
    let count = 0;
    let i = 0;
    for (let byte; (byte = view[start + i]) !== 0; ) {
      if (count >= SHORT) return undefined;
      if (byte < 0x80) {
        units[count++] = byte;
        i++;
        continue;
      }
      const second = view[start + i + 1] ^ 0x80;
      if (second > 63) return undefined;
      if (byte < 0xe0) {
        if (byte < 0xc2) return undefined;
        units[count++] = (byte & 31) << 6 | second;
        i += 2;
        continue;
      }
      const third = view[start + i + 2] ^ 0x80;
      if (third > 63) return undefined;
      if (byte < 0xf0) {
        const code = (byte & 15) << 12 | second << 6 | third;
        if (code < 0x800 || code >> 11 === 0x1b) return undefined;
        units[count++] = code;
        i += 3;
        continue;
      }
      const fourth = view[start + i + 3] ^ 0x80;
      const code = byte - 0xf0 << 18 | second << 12 | third << 6 | fourth;
      if (fourth > 63 || code < 0x10000 || code > 0x10ffff) return undefined;
      units[count++] = 0xd7c0 + (code >> 10);
      units[count++] = 0xdc00 | code & 0x3ff;
      i += 4;
    }
    this.size = i + 1;
    return i > this.#options.scanLimit ? undefined : fromUnits(units, 0, count);
  }

  // What the guest says is checked. Where it traps, because there is no NUL and its strlen ran off
  // the end of memory, it leaves nothing behind, and the search from here tells what is wrong.
  #ask(start, last) {
    if (this.#strlen === undefined || this.#guard.trap !== undefined) return undefined;
    try {
      const end = start + address(this.#strlen(this.#memory.toGuest(start)));
      return end < last && this.#memory.view[end] === 0 ? end : undefined;
    } catch {
      return undefined;
    }
  }

  #unterminated(start, last) {
    const scanned = last - start;
    const why = scanned > this.#options.scanLimit ? "the scan limit (option scanLimit)" : "the end of memory";
    throw new UnterminatedError(
      `no NUL ends the string at ${hex(start)}: looked at ${scanned} bytes, up to ${why}. Check the pointer, or read with a length`,
      { address: start, scanned },
    );
  }
}

// Kept between calls. The last character may be a pair, and then the text is one too long.
const units = new Uint16Array(SHORT + 1);

// The first NUL between two addresses, or -1. The search must not run to the end of memory.
function search(view, from, end) {
  return indexOfNul(end < view.length ? view.subarray(0, end) : view, from);
}

// Undefined when a byte isn't ASCII. One call with all characters: each `+=` would make a string.
function shortAscii(view, start, end) {
  let bits = 0;
  for (let at = start; at < end; at++) bits |= view[at];
  return bits < 128 ? fromUnits(view, start, end - start) : undefined;
}

function decode(view, start, end, copies) {
  if (copies) {
    const copy = Uint8Array.prototype.slice.call(view, start, end);
    return decode(copy, 0, copy.length, false);
  }
  return hasNativeBuffer ? view.utf8Slice(start, end) : decodeStandard(view.subarray(start, end));
}

let decoder = new TextDecoder("utf-8", { ignoreBOM: true });
let decoded = 0;

function decodeStandard(bytes) {
  decoded += bytes.length;
  if (decoded > DECODER_LIMIT) {
    decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    decoded = bytes.length;
  }
  return decoder.decode(bytes);
}

// A U+FFFD may stand in the bytes themselves. Only texts that have one pay for this.
function rejectInvalid(view, start, end) {
  for (let at = start; at < end; ) {
    const length = sequenceLength(view, at, end);
    if (length === 0) {
      const offset = at - start;
      throw new InvalidUtf8Error(
        `the string at ${hex(start)} is not UTF-8 at byte ${offset} (${hex(view[at])}): use invalid: "replace", or correct the guest`,
        { address: start, offset },
      );
    }
    at += length;
  }
}

// How many bytes the well-formed sequence at `at` has, or 0 (Unicode, Table 3-7).
function sequenceLength(view, at, end) {
  const first = view[at];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (at + length > end) return 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (view[at + 1] < low || view[at + 1] > high) return 0;
  for (let i = 2; i < length; i++) if (view[at + i] >> 6 !== 2) return 0;
  return length;
}

// String.fromCharCode of a fixed number of arguments, which engines compile without an array.
function fromUnits(v, i, length) {
  const { fromCharCode: f } = String;
  switch (length) {
    case 0: return "";
    case 1: return f(v[i]);
    case 2: return f(v[i], v[i + 1]);
    case 3: return f(v[i], v[i + 1], v[i + 2]);
    case 4: return f(v[i], v[i + 1], v[i + 2], v[i + 3]);
    case 5: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4]);
    case 6: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5]);
    case 7: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6]);
    case 8: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7]);
    case 9: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8]);
    case 10: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9]);
    case 11: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10]);
    case 12: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10], v[i + 11]);
    case 13: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10], v[i + 11], v[i + 12]);
    case 14: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10], v[i + 11], v[i + 12], v[i + 13]);
    case 15: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10], v[i + 11], v[i + 12], v[i + 13], v[i + 14]);
    case 16: return f(v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6], v[i + 7], v[i + 8], v[i + 9], v[i + 10], v[i + 11], v[i + 12], v[i + 13], v[i + 14], v[i + 15]);
  }
}
