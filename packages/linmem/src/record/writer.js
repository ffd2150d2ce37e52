// Writes the fields of docs/trace-format.md as bytes. They are gathered in one chunk of memory, which is
// handed on when it is full. Numbers take the fast path when they fit into 32 bits.
//
// An output has `room`, where records are built one behind the other; `publish(length)`: so many bytes of it are whole
// records; `flush()` hands those on, and begins anew; `append(bytes)` hands on a part of a record that is too large.

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

/** The output of a thread that shares nothing: a chunk of its own, which goes to `append`. */
class OwnChunk {
  room = new Uint8Array(CHUNK_BYTES);
  #length = 0;

  constructor(append) {
    this.append = append;
  }

  publish(length) {
    this.#length = length;
  }

  flush() {
    if (this.#length > 0) this.append(this.room.subarray(0, this.#length));
    this.#length = 0;
  }
}

export class TraceWriter {
  #output;
  #chunk;
  #at = 0;
  #lastPointer = 0;

  // Where the last whole record ends, and its pointer. What follows is a record that was begun, or half of
  // one in which the stack overflowed; the next record is written over it.
  #committed = 0;
  #committedPointer = 0;

  // Whether each whole record is published at once: another thread may look.
  #isShared = false;
  #encoder = new TextEncoder();

  /** `append(bytes)` gets each chunk, in a memory that is used again afterwards. */
  constructor(append) {
    this.#output = new OwnChunk(append);
    this.#chunk = this.#output.room;
    this.#chunk.set(MAGIC);
    this.#at = MAGIC.length;
    this.commit();
  }

  /** From here on records go to another output, whose room is empty, and other threads see them there. */
  writeTo(output) {
    this.flush();
    this.#output = output;
    this.#chunk = output.room;
    this.#isShared = true;
  }

  /** Whether it is time to flush, before the next record. */
  get isFull() {
    return this.#at > this.#chunk.length - RESERVE_BYTES;
  }

  /** The same before two records of numbers that must not be parted. */
  get isNearlyFull() {
    return this.#at > this.#chunk.length - 2 * RESERVE_BYTES;
  }

  /** Begins a record. */
  tag(tag) {
    this.#at = this.#committed;
    this.#lastPointer = this.#committedPointer;
    this.#chunk[this.#at++] = tag;
  }

  /** Ends a record. As long as nothing is shared it calls nothing, so the stack cannot overflow half way. */
  commit() {
    this.#committed = this.#at;
    this.#committedPointer = this.#lastPointer;
    if (this.#isShared) this.#output.publish(this.#committed);
  }

  /** Ends a record that the next one belongs to: other threads see both or neither. */
  commitWithNext() {
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
    if (!this.#isShared) this.#output.publish(this.#committed);
    this.#output.flush();
    this.#at = 0;
    this.#committed = 0;
  }

  /** Hands on everything, in the middle of a record that is too large for the chunk. */
  spill() {
    const part = this.#chunk.slice(this.#committed, this.#at);
    this.flush();
    if (part.length > 0) this.#output.append(part);
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
    if (this.#at + bytes.length <= this.#chunk.length - RESERVE_BYTES) {
      this.#chunk.set(bytes, this.#at);
      this.#at += bytes.length;
    } else {
      this.spill();
      this.#output.append(bytes);
    }
  }
}
