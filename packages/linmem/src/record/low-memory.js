// Watches the lowest bytes of a memory, below the first data segment. What changes there was most likely
// written through a NULL pointer.

import { bytesIn } from "./engine.js";

export class LowMemory {
  #memory;
  #before;

  /** Watches the lowest `length` bytes, or as many as there are. */
  constructor(memory, length) {
    this.#memory = memory;
    /** How many bytes are watched at most. */
    this.length = length;
    this.#before = bytesIn(memory).slice(0, length);
  }

  /** What has changed since the last look: the first and the last address, and how many bytes; else undefined. */
  look() {
    const now = bytesIn(this.#memory);
    let change;
    for (let address = 0; address < this.#before.length; address++) {
      if (now[address] === this.#before[address]) continue;
      this.#before[address] = now[address];
      change ??= { first: address, last: address, changed: 0 };
      change.last = address;
      change.changed++;
    }
    return change;
  }
}
