// A string that stays in the guest's memory until it is freed.

import { UseAfterFreeError } from "./errors.js";

export class GuestString {
  #pointer;
  #free;

  /** `free` gives the block back, and is called once at most. */
  constructor(pointer, byteLength, free) {
    this.#pointer = pointer;
    this.byteLength = byteLength;
    this.#free = free;
  }

  get ptr() {
    if (this.#free === undefined) throw this.#useAfterFree();
    return this.#pointer;
  }

  free() {
    const free = this.#free;
    this.#free = undefined;
    free?.();
  }

  #useAfterFree() {
    return new UseAfterFreeError("the string was freed, so its pointer leads to what the guest keeps there now: free it later");
  }
}

// Calls by name, so that a subclass frees in its own way.
if (Symbol.dispose) {
  GuestString.prototype[Symbol.dispose] = function dispose() {
    this.free();
  };
}
