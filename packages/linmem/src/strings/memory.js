// A guest's memory as a host may touch it. Every address and length that comes from a guest passes
// `address` and `check`, and nothing else computes ranges.

import { ArgumentError, OutOfRangeError } from "./errors.js";
import { viewOf } from "./runtime.js";

export class GuestMemory {
  #memory;
  #view;
  #window;

  /**
   * Whether the memory is shared or resizable now (anybody can flip that). Engines refuse to encode
   * into such a memory and to decode from it, so that has to be done in a copy.
   */
  copies;

  /** `memory` is a WebAssembly.Memory. */
  constructor(memory) {
    this.#memory = memory;
    this.is64 = takesBigInt(memory);
    this.#look();
  }

  /**
   * The bytes. Ask for them again after everything that can grow: that detaches a view, and a
   * detached one swallows writes silently. A shared or resizable buffer grows without detaching.
   */
  get view() {
    return this.#view.byteLength === 0 || this.copies ? this.#look() : this.#view;
  }

  #look() {
    const { buffer } = this.#memory;
    this.copies = buffer.resizable === true || String(buffer) === "[object SharedArrayBuffer]";
    this.#window = undefined;
    return (this.#view = viewOf(buffer));
  }

  /** The view, if `length` bytes from `address` lie in it. */
  check(address, length) {
    const { view } = this;
    if (address + length <= view.length) return view;
    throw new OutOfRangeError(
      `${length} bytes at ${hex(address)} reach past the end of memory at ${hex(view.length)}: check the pointer and the length`,
      { address, byteLength: length, memoryBytes: view.length },
    );
  }

  /** A view of one range. The last one is kept: an allocator tends to return the same address. */
  window(address, length) {
    const view = this.check(address, length);
    const last = this.#window;
    if (last !== undefined && last.byteOffset === address && last.length === length) return last;
    return (this.#window = new Uint8Array(view.buffer, address, length));
  }

  /** How large the memory is and may become, for messages. JavaScript mostly cannot see a maximum. */
  describe() {
    const maximum = this.#memory.type?.().maximum;
    const limit = maximum === undefined ? "its maximum is not known to JavaScript" : `its maximum is ${maximum} pages`;
    return `the memory has ${this.view.length} bytes and ${limit}`;
  }

  /** An address, or a size, as the guest's functions take it. */
  toGuest(address) {
    return this.is64 ? BigInt(address) : address;
  }
}

/**
 * The address in a pointer that came from a guest, or the length in a size: an i32 is signed in
 * JavaScript, and an i64 is a BigInt.
 */
export function address(pointer) {
  if (typeof pointer === "number" && ((pointer | 0) === pointer || pointer >>> 0 === pointer)) return pointer >>> 0;
  if (typeof pointer === "bigint") return Number(BigInt.asUintN(64, pointer));
  if (pointer >= 0 && Number.isSafeInteger(pointer)) return pointer;
  throw new ArgumentError(`expected a pointer or a length, got ${describe(pointer)}`);
}

// Buffer's search counts in signed 32-bit numbers.
const FAR = 0x7fffffff;

/** The index of the first NUL, or -1. */
export const indexOfNul = (view, from) => (view.length > FAR ? Uint8Array.prototype.indexOf.call(view, 0, from) : view.indexOf(0, from));

/** An address as it stands in messages. */
export const hex = (address) => `0x${address.toString(16)}`;

/** A value as it stands in messages. Texts may be long, and objects may have any toString. */
export function describe(value) {
  return value === null ? "null" : typeof value === "number" ? String(value) : typeof value;
}

// A 32-bit memory refuses every BigInt, and a 64-bit one cannot grow by the largest. So nothing
// grows, and no view is detached. (V8 accepts 2n ** 63n, and grows by nothing.)
function takesBigInt(memory) {
  try {
    memory.grow(2n ** 64n - 1n);
  } catch (error) {
    return error.name === "RangeError";
  }
}
