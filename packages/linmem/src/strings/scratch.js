// Where lent strings lie: one block of the guest's that is kept, so that most calls need no
// allocation. Nested calls stack up in it. When a callback returns a promise, its string has to stay
// while others come and go, so the block is then left to it, and the next call gets a new one.

import { AllocationError } from "./errors.js";

/** A block of the guest's that is lent. It is filled up to `top`, and freed when that is 0 and no promise uses it. */
export function lentBlock(address, size) {
  return { address, size, top: 0, promises: 0, retired: true };
}

export class Scratch {
  #allocator;
  #size;
  #block;
  #tellOfKept;

  /** A `size` of 0 switches it off. */
  constructor(allocator, size, tellOfKept) {
    this.#allocator = allocator;
    this.#size = size;
    this.#tellOfKept = tellOfKept;
  }

  /** The kept block, if there is one. */
  get block() {
    return this.#block;
  }

  /** The kept block, or a new one. Undefined when so many bytes and a NUL can have no room in it, or the guest has none for it. */
  open(length) {
    return length < this.#size ? this.#block ?? this.#allocate() : undefined;
  }

  /** Ends a use on the way out of an error, which a second one must not hide. */
  abandon(block, start) {
    try {
      this.leave(block, start);
    } catch {}
  }

  /** Ends a use that began when the block was filled up to `start`. */
  leave(block, start) {
    block.top = start;
    if (block.retired) this.#freeUnused(block);
  }

  /** Ends a use whose string stays until a promise settles, which `settle` tells. */
  stay(block, start) {
    block.promises++;
    block.retired = true;
    if (block === this.#block) this.#block = undefined;
    this.leave(block, start);
  }

  settle(block) {
    block.promises--;
    this.#freeUnused(block);
  }

  /** Gives the kept block back as soon as it is not in use. */
  release() {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    block.retired = true;
    this.#freeUnused(block);
  }

  // A guest without room for the block may still have room for one string.
  #allocate() {
    try {
      this.#block = lentBlock(this.#allocator.malloc(this.#size), this.#size);
      this.#block.retired = false;
      this.#tellOfKept(this.#block.address);
      return this.#block;
    } catch (error) {
      if (error instanceof AllocationError) return undefined;
      throw error;
    }
  }

  #freeUnused(block) {
    if (block.top === 0 && block.promises === 0) this.#allocator.free(block.address, block.size);
  }
}
