// The operations on strings of one instance: lending, allocating, reading, taking.

import { Decoder } from "./decode.js";
import { Encoder } from "./encode.js";
import { NullPointerError, OutOfRangeError } from "./errors.js";
import { GuestString } from "./guest-string.js";
import { address } from "./memory.js";
import { isThenable } from "./promise.js";
import { lentBlock, Scratch } from "./scratch.js";
import { wrap } from "./wrap.js";

const isNone = (text) => text === null || text === undefined;

// Whether a pointer may be freed although it could not be read: NULL, and what lies outside the
// memory, never came from an allocator.
const isBlock = (error) => !(error instanceof NullPointerError || error instanceof OutOfRangeError);

export class CStrings {
  /** What `alloc` makes. */
  static GuestString = GuestString;

  #exports;
  #memory;
  #guard;
  #allocator;
  #encoder;
  #decoder;
  #scratch;

  constructor({ exports, memory, guard, allocator, tellOfKept }, options) {
    this.#exports = exports;
    this.#memory = memory;
    this.#guard = guard;
    this.#allocator = allocator;
    this.#encoder = new Encoder(memory, allocator, options);
    this.#decoder = new Decoder(memory, guard, options, exports.strlen);
    this.#scratch = new Scratch(allocator, options.scratch, tellOfKept);
  }

  with(text, run) {
    this.#guard.check();
    const block = this.#scratch.open(text?.length);
    const start = block === undefined ? 0 : block.top;
    const length = block === undefined ? -1 : this.#encoder.write(text, block.address + start, block.size - start);
    return length < 0 ? this.#withOwn(text, run) : this.#with(block, start, length, run);
  }

  withAll(texts, run) {
    this.#guard.check();
    const block = this.#scratch.open(0);
    const start = block === undefined ? 0 : block.top;
    const pointers = block === undefined ? undefined : this.#writeAll(texts, block);
    if (pointers !== undefined) return this.#lend(block, start, () => run(...pointers));
    const placed = this.#placeAll(texts);
    return this.#lend(placed.block, 0, () => run(...placed.pointers));
  }

  alloc(text) {
    this.#guard.check();
    const { address, size, length } = this.#encoder.place(text, true);
    const free = () => this.#allocator.free(address, size);
    return new this.constructor.GuestString(this.#memory.toGuest(address), this.#memory.toGuest(length), free);
  }

  read(pointer, byteLength) {
    const start = address(pointer);
    const short = byteLength === undefined ? this.#decoder.short(start) : undefined;
    return short ?? this.#decoder.text(start, this.#end(start, byteLength));
  }

  take(pointer, byteLength, free) {
    const start = address(pointer);
    const short = byteLength === undefined ? this.#decoder.short(start) : undefined;
    if (short === undefined) return this.#takeLong(start, byteLength, free);
    this.#allocator.free(start, this.#decoder.size, free);
    return short;
  }

  #takeLong(start, byteLength, free) {
    let size;
    let text;
    try {
      const end = this.#end(start, byteLength);
      size = end - start + (byteLength === undefined ? 1 : 0);
      text = this.#decoder.text(start, end);
    } catch (error) {
      if (isBlock(error)) this.#allocator.release(start, size, free);
      throw error;
    }
    this.#allocator.free(start, size, free);
    return text;
  }

  wrap(signatures) {
    return wrap(signatures, { strings: this, exports: this.#exports, memory: this.#memory, guard: this.#guard });
  }

  get scratch() {
    const { block } = this.#scratch;
    return block && { ptr: this.#memory.toGuest(block.address), byteLength: block.size };
  }

  release() {
    this.#scratch.release();
  }

  // Lends a text that has no room in the kept block.
  #withOwn(text, run) {
    const { address, size, length } = this.#encoder.place(text, false);
    return this.#with(lentBlock(address, size), 0, length, run);
  }

  #with(block, start, length, run) {
    block.top = start + length + 1;
    return this.#lend(block, start, run, this.#memory.toGuest(block.address + start), this.#memory.toGuest(length));
  }

  // Runs a callback while its strings lie in `block`, filled up to `start` before them.
  #lend(block, start, run, pointer, length) {
    let result;
    try {
      result = run(pointer, length);
    } catch (error) {
      this.#guard.note(error);
      this.#scratch.abandon(block, start);
      throw error;
    }
    if (isThenable(result)) return this.#lendUntilSettled(block, start, result);
    this.#scratch.leave(block, start);
    return result;
  }

  #lendUntilSettled(block, start, result) {
    this.#scratch.stay(block, start);
    return Promise.resolve(result).then(
      (value) => {
        this.#scratch.settle(block);
        return value;
      },
      (error) => {
        this.#guard.note(error);
        this.#scratch.settle(block);
        throw error;
      },
    );
  }

  // Pointers to the texts behind what is in the block already, or undefined if they have no room.
  #writeAll(texts, block) {
    let end = block.top;
    const pointers = [];
    for (const text of texts) {
      const at = block.address + end;
      const length = isNone(text) ? -1 : this.#encoder.write(text, at, block.size - end);
      if (length < 0 && !isNone(text)) return undefined;
      pointers.push(this.#memory.toGuest(length < 0 ? 0 : at));
      end += length + 1;
    }
    block.top = end;
    return pointers;
  }

  #placeAll(texts) {
    const parts = Array.from(texts, (text) => (isNone(text) ? undefined : this.#encoder.bytes(text)));
    const size = parts.reduce((sum, part) => sum + (part === undefined ? 0 : part.length + 1), 0);
    // An allocator may answer NULL to a request for nothing.
    const block = lentBlock(this.#allocator.malloc(size || 1), size || 1);
    const { view } = this.#memory;
    const pointers = parts.map((part) => {
      if (part === undefined) return this.#memory.toGuest(0);
      const at = block.address + block.top;
      view.set(part, at);
      view[at + part.length] = 0;
      block.top += part.length + 1;
      return this.#memory.toGuest(at);
    });
    return { block, pointers };
  }

  // Where the string at `start` ends: at its NUL, or after so many bytes.
  #end(start, byteLength) {
    const length = byteLength === undefined ? undefined : address(byteLength);
    if (start === 0 && length !== 0) {
      throw new NullPointerError('the pointer is NULL, so there is no string: check it first, or in wrap use the type "string?"');
    }
    if (length === undefined) return this.#decoder.end(start);
    this.#memory.check(start, length);
    return start + length;
  }
}

if (Symbol.dispose) CStrings.prototype[Symbol.dispose] = CStrings.prototype.release;
