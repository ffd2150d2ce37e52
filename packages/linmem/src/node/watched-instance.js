// An instance as the recorder knows it. It lives exactly as long as the engine's own data of the
// instance, which holds the hooks, which hold this: also where the program keeps the exports only.

import { Calls } from "./calls.js";
import { bytesIn, exportsOf, isMemory, PAGE_BYTES, pagesOf } from "./engine.js";
import { learnFunctions } from "./functions.js";
import { hooksOf } from "./hooks.js";
import { numberOf } from "./memory.js";
import { contextOf, hostContext } from "./stacks.js";
import * as trace from "./trace.js";

const live = new Map();
let count = 0;

const registry = new FinalizationRegistry((number) => {
  live.delete(number);
  trace.writeCounts();
  trace.select(number);
  trace.collected();
});

/** Those that are not collected yet. */
export const liveInstances = () => [...live.values()].map((reference) => reference.deref()).filter(Boolean);

export class WatchedInstance {
  #number = -1;
  #createdIn = hostContext();
  #imports;
  #memory;
  #low;
  #failedBefore = false;
  #functionTaken = false;
  #calls;

  // From the lowest address of a block to the end of the highest one, ever.
  #lowest = Infinity;
  #end = 0;

  constructor(module, imports) {
    this.module = module;
    this.#imports = imports;
    this.#calls = new Calls(module.entries);
    this.hooks = hooksOf(this);
  }

  /** The memory that it uses, once that is known. */
  get memory() {
    return this.#memory;
  }

  /** The size that a reallocation under way asks for. */
  newSize = 0;

  /** What the engine's exports are, with those that instrumentation added. */
  exports = undefined;

  /** The start function has run, and the engine hands out the instance. */
  complete(instance) {
    this.exports = exportsOf(instance);
    this.#memory = this.exports["linmem.memory"];
    this.#imports = undefined;
    this.select();
    trace.usesMemory(numberOf(this.#memory));
    trace.created(this.#createdIn);
    this.#low ??= this.#lowBytes();
    learnFunctions(this);
  }

  /** Records that follow are about this instance; returns the context of an event. */
  begin(low, high) {
    if (this.#failedBefore) this.#lookAgain();
    this.select();
    return contextOf(this.module, low, high);
  }

  /** There is a block at this address. */
  hasBlockAt(address, size) {
    if (address < this.#lowest) this.#lowest = address;
    if (address + size > this.#end) this.#end = address + size;
  }

  /** Whether this address can be that of a block, or in one; if so, records that follow are about the instance. */
  mayBeBlock(address) {
    if (address < this.#lowest || address > this.#end) return false;
    this.select();
    return true;
  }

  /** The program calls an exported function. */
  entered(index) {
    if (this.#failedBefore) this.#lookAgain();
    if (this.#number < 0) this.#announce();
    this.#calls.add(this.#number, index);
  }

  /** An exported function has returned something; whether that is the memory's size. */
  sizeTold(index, value) {
    const unit = this.module.map.sizes[index];
    if (unit === undefined || this.#memory === undefined) return false;
    const pages = unit === "bytes" ? value / PAGE_BYTES : value;
    trace.sizeRead(numberOf(this.#memory), trace.BY_INSTRUCTION, pages, hostContext());
    return true;
  }

  /** The program has a function of which it is not known when it calls it. */
  functionTaken() {
    if (this.#functionTaken) return;
    this.#functionTaken = true;
    this.select();
    trace.tookFunction();
  }

  select() {
    if (this.#number < 0) this.#announce();
    trace.select(this.#number);
  }

  // The first that is heard of it: its creation is over, or its start function does something.
  #announce() {
    const { number, map } = this.module;
    const memory = this.#memory ?? this.#importedMemory();
    trace.instance(count, number, memory ? pagesOf(memory) : map.initial_pages, map.max_pages);
    this.#number = count++;
    live.set(this.#number, new WeakRef(this));
    registry.register(this, this.#number);
  }

  #importedMemory() {
    const [module, name] = this.module.map.memory_import ?? [];
    const memory = module === undefined ? undefined : this.#imports?.[module]?.[name];
    return isMemory(memory) ? memory : undefined;
  }

  /** A host may write where a failed allocation points to: looks now, and at the next event. */
  allocationFailed() {
    this.checkLowMemory();
    this.#failedBefore = true;
  }

  #lookAgain() {
    this.#failedBefore = false;
    this.checkLowMemory();
  }

  /** Records what has changed below the first data segment since the last look. */
  checkLowMemory() {
    if (this.#low === undefined) return;
    const before = this.#low;
    this.#low = this.#lowBytes();
    if (this.#low.equals(before)) return;
    const changed = [...before.keys()].filter((address) => before[address] !== this.#low[address]);
    this.select();
    trace.lowMemory(changed[0], changed.at(-1), changed.length);
  }

  #lowBytes() {
    return Buffer.from(bytesIn(this.#memory).subarray(0, this.module.map.low_memory));
  }
}
