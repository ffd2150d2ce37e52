// An instance as the recorder knows it. It lives exactly as long as the engine's own data of the
// instance, which holds the hooks, which hold this object: also where the program keeps only the exports.

import { Calls } from "./calls.js";
import { exportsOf, isMemory, PAGE_BYTES, pagesOf } from "./engine.js";
import { hooksOf } from "./hooks.js";
import { LowMemory } from "./low-memory.js";
import { EXPORTS, SIZE_READ_BY } from "./names.js";

const LAST_ADDRESS = 2n ** 64n - 1n;

function endOf(address, size) {
  if (typeof address === "number" && typeof size === "number") return address + size;
  const end = BigInt(address) + BigInt(size);
  return end > LAST_ADDRESS ? LAST_ADDRESS : end;
}

export class Instance {
  #recorder;
  #records;
  #contexts;
  #known;
  #number = -1;
  #createdIn;
  #imports;
  #memory;
  #lowMemory;
  #looksAgain = false;
  #functionTaken = false;
  #calls;

  // The extent of the blocks: from the lowest address of one to the end of the highest one, ever.
  #lowest = Infinity;
  #end = 0;

  constructor(recorder, module, imports) {
    this.#recorder = recorder;
    this.#records = recorder.records;
    this.#contexts = recorder.contexts;
    this.#known = module.contexts;
    this.#createdIn = recorder.contexts.ofHost();
    this.#imports = imports;
    this.#calls = new Calls(recorder.records, module.entries);
    this.module = module;
    this.hooks = hooksOf(this, recorder);
  }

  /** The memory that it uses, once that is known. */
  get memory() {
    return this.#memory;
  }

  /** The size that the reallocation under way asks for. */
  newSize = 0;

  /** The engine's exports, with those that instrumentation added. */
  exports = undefined;

  /** The start function has run, and the engine hands out the instance. */
  complete(instance) {
    this.exports = exportsOf(instance);
    this.#memory = this.exports[EXPORTS.memory];
    this.#imports = undefined;
    this.select();
    this.#records.usesMemory(this.#recorder.memories.numberOf(this.#memory));
    this.#records.created(this.#createdIn);
    this.#lowMemory = new LowMemory(this.#memory, this.module.map.low_memory);
    this.#recorder.functions.learn(this);
  }

  /** The records that follow are about this instance; returns the context of an event. */
  begin(low, high) {
    this.select();
    const context = this.#known.get(low, high);
    return context >= 0 ? context : this.#contexts.add(this.module, low, high);
  }

  /** There is a block at this address. */
  hasBlockAt(address, size) {
    const end = endOf(address, size);
    if (address < this.#lowest) this.#lowest = address;
    if (end > this.#end) this.#end = end;
  }

  /** Whether a block can be at this address, or around it; if so, the records that follow are about the instance. */
  mayBeBlock(address) {
    if (address < this.#lowest || address > this.#end) return false;
    this.select();
    return true;
  }

  /** The program calls an exported function. */
  entered(index) {
    if (this.#looksAgain) this.#lookAgain();
    if (this.#number < 0) this.#announce();
    this.#calls.add(this.#number, index);
  }

  /** An exported function has returned something; returns whether that is the memory's size. */
  sizeTold(index, value) {
    const unit = this.module.map.sizes[index];
    if (unit === undefined || this.#memory === undefined) return false;
    const pages = unit === "bytes" ? value / PAGE_BYTES : value;
    const { contexts, memories } = this.#recorder;
    this.#records.sizeRead(memories.numberOf(this.#memory), SIZE_READ_BY.INSTRUCTION, pages, contexts.ofHost());
    return true;
  }

  /** The program has a function whose calls go unseen. */
  functionTaken() {
    if (this.#functionTaken) return;
    this.#functionTaken = true;
    this.select();
    this.#records.tookFunction();
  }

  select() {
    if (this.#number < 0) this.#announce();
    this.#records.select(this.#number);
  }

  // The first record about it: its creation is over, or its start function does something.
  #announce() {
    const { instances } = this.#recorder;
    const { number, map } = this.module;
    const memory = this.#memory ?? this.#importedMemory();
    this.#records.instance(instances.next, number, memory ? pagesOf(memory) : map.initial_pages, map.max_pages);
    this.#number = instances.add(this);
  }

  #importedMemory() {
    const [module, name] = this.module.map.memory_import ?? [];
    const memory = module === undefined ? undefined : this.#imports?.[module]?.[name];
    return isMemory(memory) ? memory : undefined;
  }

  /** An allocation failed. The host may write to where it points: looks now, and when it calls next. */
  allocationFailed() {
    this.look();
    this.#looksAgain = true;
  }

  #lookAgain() {
    this.#looksAgain = false;
    this.look();
  }

  /** Records what has changed in low memory since the last look. */
  look() {
    const change = this.#lowMemory?.look();
    if (change === undefined) return;
    this.select();
    this.#records.lowMemory(change.first, change.last, change.changed);
  }
}
