// The debug mode: knows where each string was allocated and freed, and tells what was forgotten. It
// takes a stack for each string, and keeps no scratch block, so that every lent string is a block.

import { Allocator } from "./allocator.js";
import { CStrings } from "./cstrings.js";
import { hex } from "./errors.js";
import { GuestString } from "./guest-string.js";
import { address } from "./memory.js";

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

// All instances in debug mode, to tell whose a pointer is.
const instances = new Set();

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
    instances.add(new WeakRef(this));
  }

  alloc(text) {
    const string = super.alloc(text);
    const at = address(string.ptr);
    this.#dropped.register(string, { at, block: this.#blocks.get(at) });
    return string;
  }

  read(pointer, byteLength) {
    this.#checkOwner(address(pointer));
    return super.read(pointer, byteLength);
  }

  take(pointer, byteLength, free) {
    this.#checkOwner(address(pointer));
    return super.take(pointer, byteLength, free);
  }

  unfreed() {
    return Array.from(this.#blocks, ([at, { size, allocated }]) => ({ ptr: this.#memory.toGuest(at), size, allocated }));
  }

  #reportDropped(at, block) {
    if (this.#blocks.get(at) !== block) return;
    this.#tell("string-dropped", `the string at ${hex(at)} (${block.size} bytes) was dropped without free()`, block.allocated);
  }

  // The same number can be a good pointer here by chance, so this is told and not thrown. Where the
  // bytes are the same too, nothing can go wrong.
  #checkOwner(at) {
    if (this.#blocks.has(at)) return;
    for (const reference of instances) {
      const other = reference.deref();
      if (other === undefined) instances.delete(reference);
      else if (other !== this && other.#blocks.has(at) && !this.#holdsSame(other, at)) this.#tellForeign(at, other);
    }
  }

  #holdsSame(other, at) {
    const bytes = ({ view }, { size }) => String(view.slice(at, at + size));
    const block = other.#blocks.get(at);
    return bytes(this.#memory, block) === bytes(other.#memory, block);
  }

  #tellForeign(at, other) {
    const { allocated } = other.#blocks.get(at);
    this.#tell("foreign-pointer", `${hex(at)} is a string of another instance, and no string that was allocated here`, allocated);
  }

  #tell(code, message, cause) {
    this.#report(Object.assign(new Error(message, { cause }), { code }));
  }
}
