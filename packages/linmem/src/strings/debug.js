// The debug mode: knows where each string was allocated and freed, and tells what was forgotten. It
// takes a stack for each string, and keeps no scratch block, so that every lent string is a block.

import { Allocator } from "./allocator.js";
import { CStrings } from "./cstrings.js";
import { GuestString } from "./guest-string.js";
import { address, hex } from "./memory.js";

/** Remembers the blocks that are alive: address → { size, allocated }. */
export class TrackingAllocator extends Allocator {
  blocks = new Map();

  malloc(size) {
    const block = super.malloc(size);
    this.#remember(block, size);
    return block;
  }

  realloc(old, oldSize, size) {
    const block = super.realloc(old, oldSize, size);
    this.blocks.delete(old);
    this.#remember(block, size);
    return block;
  }

  free(block, size, free) {
    this.blocks.delete(block);
    super.free(block, size, free);
  }

  #remember(block, size) {
    this.blocks.set(block, { size, allocated: new Error(`${size} bytes were allocated here`) });
  }
}

class DebugGuestString extends GuestString {
  #freed;

  get ptr() {
    try {
      return super.ptr;
    } catch (error) {
      error.cause = this.#freed;
      throw error;
    }
  }

  free() {
    this.#freed ??= new Error("the string was freed here");
    super.free();
  }
}

// The allocators of all instances in debug mode, to tell whose a pointer is.
const allocators = new Set();

function ownerOf(at) {
  for (const reference of allocators) {
    const allocator = reference.deref();
    if (allocator === undefined) allocators.delete(reference);
    else if (allocator.blocks.has(at)) return allocator;
  }
}

export class DebugCStrings extends CStrings {
  static GuestString = DebugGuestString;

  #memory;
  #blocks;
  #report;
  #dropped = new FinalizationRegistry(({ at, block }) => this.#reportDropped(at, block));

  constructor(parts, options) {
    super(parts, { ...options, scratch: 0 });
    this.#memory = parts.memory;
    this.#blocks = parts.allocator.blocks;
    this.#report = typeof options.debug === "function" ? options.debug : console.warn;
    allocators.add(new WeakRef(parts.allocator));
  }

  alloc(text) {
    const string = super.alloc(text);
    const at = address(string.ptr);
    this.#dropped.register(string, { at, block: this.#blocks.get(at) });
    return string;
  }

  read(pointer, byteLength) {
    return this.#explain(pointer, () => super.read(pointer, byteLength));
  }

  take(pointer, byteLength, free) {
    return this.#explain(pointer, () => super.take(pointer, byteLength, free));
  }

  unfreed() {
    return Array.from(this.#blocks, ([at, { size, allocated }]) => ({ ptr: this.#memory.toGuest(at), size, allocated }));
  }

  #reportDropped(at, block) {
    if (this.#blocks.get(at) !== block) return;
    this.#tell("string-dropped", `the string at ${hex(at)} (${block.size} bytes) was dropped without free()`, block.allocated);
  }

  // A pointer is a number, which may be good in two instances. So whose it is matters only when
  // there is nothing to read, and is told and not thrown.
  #explain(pointer, read) {
    let text = "";
    try {
      return (text = read());
    } finally {
      if (text === "") this.#tellForeign(address(pointer));
    }
  }

  #tellForeign(at) {
    const owner = this.#blocks.has(at) ? undefined : ownerOf(at);
    if (owner === undefined) return;
    const { allocated } = owner.blocks.get(at);
    this.#tell("foreign-pointer", `there is no string at ${hex(at)}, but in another instance there is`, allocated);
  }

  #tell(code, message, cause) {
    this.#report(Object.assign(new Error(message, { cause }), { code }));
  }
}
