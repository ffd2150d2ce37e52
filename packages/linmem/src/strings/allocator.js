// The guest's allocator: found by the names that real modules export, and called so that a NULL,
// a trap or a pointer out of range cannot go unnoticed. Addresses and sizes here are numbers.

import { AllocationError, MissingExportError } from "./errors.js";
import { address } from "./memory.js";

// A sized `free` gets (pointer, size, alignment) and `malloc` (size, alignment). WebAssembly
// ignores arguments that a function doesn't have, so plain C functions get the same.
export const FAMILIES = [
  ["malloc", "free", "realloc"],
  ["allocate", "deallocate", "reallocate"],
  ["alloc", "dealloc", "realloc"],
  ["__wbindgen_malloc", "__wbindgen_free", "__wbindgen_realloc"],
  ["_malloc", "_free", "_realloc"],
];

/** The allocator functions among `exports`. */
export function findAllocator(exports, memory) {
  const isFunction = (name) => typeof exports[name] === "function";
  const family = FAMILIES.find(([malloc, free]) => isFunction(malloc) && isFunction(free));
  if (family !== undefined) {
    const [malloc, free, realloc] = family.map((name) => exports[name]);
    return { malloc, free, realloc };
  }
  if (isFunction("cabi_realloc")) return componentAllocator(exports.cabi_realloc, memory.toGuest(0));
  const names = FAMILIES.map(([malloc, free]) => `${malloc}/${free}`).join(", ");
  throw new MissingExportError(
    `no allocator is known among the exports: looked for ${names}, cabi_realloc. Export one of these, or pass { memory, malloc, free }`,
  );
}

// The one function of the component model's ABI: (old pointer, old size, alignment, new size).
function componentAllocator(cabiRealloc, zero) {
  return {
    malloc: (size, alignment) => cabiRealloc(zero, zero, alignment, size),
    free: (pointer, size, alignment) => cabiRealloc(pointer, size, alignment, zero),
    realloc: (pointer, oldSize, size, alignment) => cabiRealloc(pointer, oldSize, alignment, size),
  };
}

export class Allocator {
  #functions;
  #memory;
  #guard;
  #alignment;

  constructor(functions, memory, guard) {
    this.#functions = functions;
    this.#memory = memory;
    this.#guard = guard;
    this.#alignment = memory.toGuest(1);
  }

  /** The address of a new block, which lies in the memory. */
  malloc(size) {
    const { malloc } = this.#functions;
    return this.#block(this.#guard.call(malloc, this.#memory.toGuest(size), this.#alignment), size);
  }

  /** The address of a larger block with the same first bytes. When there is none the old is freed. */
  realloc(block, oldSize, size) {
    try {
      return this.#functions.realloc === undefined
        ? this.#move(block, oldSize, size)
        : this.#block(this.#resize(this.#functions.realloc, block, oldSize, size), size);
    } catch (error) {
      this.release(block, oldSize);
      throw error;
    }
  }

  /**
   * Gives a block back, to another function than `free` if the guest wants that. After a trap it
   * stays. NULL is not a block, and for no bytes a sized allocator has none: Rust's pointer dangles.
   */
  free(block, size, free = this.#functions.free) {
    if (this.#guard.trap !== undefined || block === 0 || (size === 0 && free.length > 1)) return;
    this.#guard.call(free, this.#memory.toGuest(block), this.#memory.toGuest(size), this.#alignment);
  }

  /**
   * Frees on the way out of an error, which a second one must not hide: a trap is noted, and the
   * next call says so. A block of unknown size is kept rather than freed with a wrong one.
   */
  release(block, size, free = this.#functions.free) {
    if (size === undefined && free.length > 1) return;
    try {
      this.free(block, size ?? 0, free);
    } catch {}
  }

  // C's takes (pointer, size), a sized one (pointer, old size, size, alignment).
  #resize(realloc, block, oldSize, size) {
    const memory = this.#memory;
    const [pointer, wanted] = [memory.toGuest(block), memory.toGuest(size)];
    return realloc.length > 2
      ? this.#guard.call(realloc, pointer, memory.toGuest(oldSize), wanted, this.#alignment)
      : this.#guard.call(realloc, pointer, wanted);
  }

  #move(block, oldSize, size) {
    const to = this.malloc(size);
    this.#memory.view.copyWithin(to, block, block + oldSize);
    this.free(block, oldSize);
    return to;
  }

  #block(pointer, size) {
    const block = address(pointer);
    if (block === 0) {
      throw new AllocationError(
        `the guest's allocator has no ${size} bytes: ${this.#memory.describe()}. Free what is not needed, or let the memory grow further`,
        { size, memoryBytes: this.#memory.view.length },
      );
    }
    this.#memory.check(block, size);
    return block;
  }
}
