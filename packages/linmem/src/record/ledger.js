// What the recorder keeps of a memory: all that use it share it.

import { LowMemory } from "./low-memory.js";
import { PRIVATE, UNKNOWN } from "./records.js";

const LAST_ADDRESS = 2n ** 64n - 1n;

function endOf(address, size) {
  if (typeof address === "number" && typeof size === "number") return address + size;
  const end = BigInt(address) + BigInt(size);
  return end > LAST_ADDRESS ? LAST_ADDRESS : end;
}

// Addresses of blocks that were freed last: each has one place, and the last one has it.
const FREED = 1024;

// Blocks begin at multiples of eight, mostly.
const placeOf = (address) => (typeof address === "number" ? (address / 8) % FREED | 0 : 0);

export class Ledger {
  #freed = new Float64Array(FREED);

  // The extent of the blocks: from the lowest address of one to the end of the highest one, ever.
  #lowest = Infinity;
  #end = 0;
  #lowMemory;

  /** Whether an instance that uses the memory has an allocator of its own. */
  hasAllocator = false;

  /** Whether an instance that uses the memory has classes of wasm-bindgen's. */
  hasObjects = false;

  /** The addresses, `{ from, to }`, between which the allocator keeps its state; undefined if they are not known. */
  state = undefined;

  /** Whether the program has, or had, a buffer of the memory. */
  isViewed = false;

  /** Whether an allocation has failed since the last look at low memory. */
  looksAgain = false;

  /** `number` is the memory's in the trace; `sharing` says whether threads share it, as the trace does. */
  constructor(number, sharing) {
    this.number = number;
    this.isShared = sharing !== PRIVATE;
    /** Whether events have numbers, which put those of all threads in order. */
    this.isNumbered = this.isShared && sharing !== UNKNOWN;
  }

  /** There is a block at this address. */
  hasBlockAt(address, size) {
    const end = endOf(address, size);
    if (address < this.#lowest) this.#lowest = address;
    if (end > this.#end) this.#end = end;
    if (this.wasFreed(address)) this.#freed[placeOf(address)] = 0;
  }

  /** A block at this address is freed. */
  freed(address) {
    if (typeof address === "number") this.#freed[placeOf(address)] = address;
  }

  /** Whether the block at this address is known to have been freed; many are forgotten. */
  wasFreed(address) {
    return address !== 0 && this.#freed[placeOf(address)] === address;
  }

  /** Whether a block can be at this address, or around it. */
  mayBeBlock(address) {
    return address >= this.#lowest && address <= this.#end;
  }

  /** An instance that uses the memory is complete, which has nothing of its own in so many bytes from 0 on. */
  remember(memory, bytes) {
    if (this.#lowMemory === undefined || bytes < this.#lowMemory.length) this.#lowMemory = new LowMemory(memory, bytes);
  }

  /** What has changed in low memory since the last look; undefined if nothing has. */
  look() {
    return this.#lowMemory?.look();
  }
}
