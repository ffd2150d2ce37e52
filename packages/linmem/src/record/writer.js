// Writes the fields of docs/trace-format.md as bytes. They are gathered in one chunk of memory, which is
// handed on when it is full. Numbers take the fast path when they fit into 32 bits.

import { MAGIC } from "./names.js";

const CHUNK_BYTES = 65536;

// The room that a record's numbers need at most. Bytes, texts and lists can be longer: they make room themselves.
const RESERVE_BYTES = 256;

// Distances up to here go through 32-bit arithmetic.
const MAX_DISTANCE = 0x3fffffff;

// Writes 32 bits and returns where the next number goes.
function put(chunk, at, value) {
  while (value >= 0x80) {
    chunk[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  chunk[at++] = value;
  return at;
}

export class TraceWriter {
  #append;
  #chunk = new Uint8Array(CHUNK_BYTES);
  #at = MAGIC.length;
  #lastPointer = 0;

  // Where the last whole record ends, and its pointer. What follows is a record that was begun, or half of
  // one in which the stack overflowed; the next record is written over it.
  #committed = MAGIC.length;
  #committedPointer = 0;
  #encoder = new TextEncoder();

  /** `append(bytes)` gets each chunk, in a memory that is used again afterwards. */
  constructor(append) {
    this.#append = append;
    this.#chunk.set(MAGIC);
  }

  /** Whether it is time to flush, before the next record. */
  get isFull() {
    return this.#at > CHUNK_BYTES - RESERVE_BYTES;
  }

  /** Begins a record. */
  tag(tag) {
    this.#at = this.#committed;
    this.#lastPointer = this.#committedPointer;
    this.#chunk[this.#at++] = tag;
  }

  /** Ends a record. It calls nothing, so the stack cannot overflow half way. */
  commit() {
    this.#committed = this.#at;
    this.#committedPointer = this.#lastPointer;
  }

  /** Writes a whole record of a context, a pointer and perhaps a size; false if its numbers are not small. */
  smallEvent(tag, context, pointer, size) {
    const last = this.#committedPointer;
    if (typeof pointer !== "number" || typeof last !== "number") return false;
    const distance = pointer - last;
    if (distance > MAX_DISTANCE || distance < -MAX_DISTANCE || size > MAX_DISTANCE) return false;
    const chunk = this.#chunk;
    let at = this.#committed;
    chunk[at++] = tag;
    at = put(chunk, at, context);
    at = put(chunk, at, distance < 0 ? -2 * distance - 1 : 2 * distance);
    if (size !== undefined) at = put(chunk, at, size);
    this.#at = at;
    this.#lastPointer = pointer;
    this.commit();
    return true;
  }

  /** Hands on the whole records. */
  flush() {
    this.#at = this.#committed;
    this.spill();
  }

  /** Hands on everything, in the middle of a record that is too large for the chunk. */
  spill() {
    const chunk = this.#chunk.subarray(0, this.#at);
    this.#at = 0;
    this.#committed = 0;
    if (chunk.length > 0) this.#append(chunk);
  }

  /** 0 or more, as a number or a BigInt. */
  number(value) {
    while (value > 0xffffffff) {
      this.#chunk[this.#at++] = typeof value === "bigint" ? Number(value & 0x7fn) | 0x80 : (value % 0x80) | 0x80;
      value = typeof value === "bigint" ? value >> 7n : Math.floor(value / 0x80);
    }
    this.#small(Number(value));
  }

  #small(value) {
    this.#at = put(this.#chunk, this.#at, value);
  }

  signed(value) {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  pointer(address) {
    const last = this.#lastPointer;
    this.#lastPointer = address;
    if (typeof address === "bigint" || typeof last === "bigint") this.#distance(BigInt(address) - BigInt(last));
    else this.signed(address - last);
  }

  // Distances wrap at 64 bits.
  #distance(difference) {
    const distance = BigInt.asIntN(64, difference);
    this.number(distance < 0n ? -2n * distance - 1n : 2n * distance);
  }

  optional(value) {
    this.number(value === null ? 0 : 1);
    if (value !== null) this.number(value);
  }

  text(text) {
    this.bytes(this.#encoder.encode(text));
  }

  bytes(bytes) {
    this.number(bytes.length);
    if (this.#at + bytes.length <= CHUNK_BYTES - RESERVE_BYTES) {
      this.#chunk.set(bytes, this.#at);
      this.#at += bytes.length;
    } else {
      this.spill();
      this.#append(bytes);
    }
  }
}
