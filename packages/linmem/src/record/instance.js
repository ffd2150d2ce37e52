// An instance as the recorder knows it. It lives as long as the engine's own data of the instance, which holds the hooks,
// which hold this object: also where the program keeps only the exports. The first few live longer, see instances.js.

import { Calls } from "./calls.js";
import { Entries } from "./entries.js";
import { exportsOf, isMemory, PAGE_BYTES } from "./engine.js";
import { hooksOf } from "./hooks.js";
import { ACCESSED_BY, EXPORTS, SIZE_READ_BY } from "./names.js";
import { unsigned } from "./numbers.js";
import { OutParameters } from "./out-parameters.js";

// How often the stack of an instruction's bad accesses is looked at.
const STACKS_OF_INSTRUCTION = 64;

export class Instance {
  #recorder;
  #records;
  #contexts;
  #known;
  #entries;
  #number = -1;
  #createdIn;
  #imports;
  #memory;
  #ledger;
  #functionTaken = false;
  #calls;

  constructor(recorder, module, imports) {
    this.#recorder = recorder;
    this.#records = recorder.records;
    this.#contexts = recorder.contexts;
    this.#known = module.contexts;
    this.#createdIn = recorder.contexts.ofHost();
    this.#imports = imports;
    this.#calls = new Calls(recorder.records, module);
    this.#entries = new Entries(recorder, this, module, this.#calls);
    this.module = module;
    this.hooks = hooksOf(this, recorder);
  }

  /** The number of the stack that makes it. */
  get createdIn() {
    return this.#createdIn;
  }

  /** The memory that it uses, once that is known. */
  get memory() {
    return this.#memory;
  }

  /** Whether its events have numbers: threads share the memory. */
  isNumbered = false;

  /** Which addresses it writes where its arguments point. */
  outParameters = new OutParameters();

  /** The size that the reallocation under way asks for. */
  newSize = 0;

  /** The engine's exports, with those that instrumentation added. */
  exports = undefined;

  /** What the recorder keeps of the memory. */
  get ledger() {
    return this.#ledger;
  }

  /** The start function has run, and the engine hands out the instance. */
  complete(instance) {
    this.exports = exportsOf(instance);
    const memory = this.exports[EXPORTS.memory];
    // A memory of its own is new, also to other threads; an imported one may be known already.
    if (this.module.map.memory_import !== null) this.#memory = memory;
    this.select();
    this.#memory = memory;
    this.#imports = undefined;
    this.#recorder.memories.born(this.#memory, this.#ledger);
    if (this.isNumbered) this.#recorder.threads.isActive();
    this.#records.created(this.#createdIn);
    this.#ledger.remember(this.#memory, this.module.map.low_memory);
    this.#recorder.functions.learn(this);
    this.#recorder.instances.weigh();
  }

  /** The records that follow are about this instance; returns the context of an event. */
  begin(low, high) {
    this.select();
    this.#entries.see();
    const context = this.#known.get(low, high);
    if (context < 0) return this.#newContext(low, high);
    const unseen = this.module.unseen?.get(context);
    if (unseen !== undefined) this.#entries.tellUnseen(unseen, context, undefined);
    else if (!this.#entries.current.isTold) this.#entries.tell(context, undefined);
    return context;
  }

  #newContext(low, high) {
    const { current } = this.#entries;
    const needsCaller = !current.isTold && current.caller === undefined;
    const { inner, caller, isSeen } = this.#contexts.take(this.module, this.#entries, low, high, needsCaller);
    const context = this.#contexts.add(this.module, low, high, inner);
    // A start function is entered by the engine.
    if (!isSeen && inner.length > 0 && this.exports !== undefined) {
      (this.module.unseen ??= new Map()).set(context, inner.at(-1).index);
      this.#entries.tellUnseen(inner.at(-1).index, context, caller);
    } else if (!current.isTold) this.#entries.tell(context, caller);
    return context;
  }

  /** The context of an access by this instruction that is not right; after many of them, that of the last one. */
  contextOfAccess(instruction, by) {
    // Imported functions are called from everywhere, and blocks are looked at from everywhere.
    const isInstruction = by < ACCESSED_BY.READ_BY_IMPORT;
    const known = isInstruction ? this.module.accesses.get(instruction) : undefined;
    if (known?.stacks >= STACKS_OF_INSTRUCTION) return known.context;
    this.select();
    const { context, caller } = this.#contexts.ofAccess(this.module, this.#entries);
    if (!this.#entries.current.isTold) this.#entries.tell(context, caller);
    if (isInstruction) this.module.accesses.set(instruction, { stacks: (known?.stacks ?? 0) + 1, context });
    return context;
  }

  /** Whether accesses of its memory are checked. */
  get isChecked() {
    return this.exports?.[EXPORTS.accessible] !== undefined;
  }

  /** The program reads or writes memory itself, with functions for strings. Numbers are as the module takes them. */
  accessed(address, bytes, isWrite) {
    if (this.exports[EXPORTS.accessible](address, bytes) !== 0) return;
    this.#records.accessed(this.#ledger.number, unsigned(address), unsigned(bytes), isWrite, this.#contexts.ofHost());
    this.#recorder.stop?.();
  }

  /** The host keeps a block for its own use. The number is as the module takes it. */
  keeps(address) {
    this.#records.kept(this.#ledger.number, unsigned(address));
  }

  /** Whether another instance, which uses the same memory, tells the events of the allocator that this one imports. */
  get isTold() {
    if (!this.module.importsAllocator) return false;
    this.select();
    if (this.module.url === undefined) this.#recorder.frames.learn(this.module);
    return this.#ledger.hasAllocator;
  }

  /** There is a block at this address. */
  hasBlockAt(address, size) {
    this.#ledger.hasBlockAt(address, size);
  }

  /** The block at this address is freed. */
  freed(address) {
    this.#ledger.freed(address);
  }

  /** An address is passed to the entry under way: if its block is known to have been freed, what called is looked at. */
  lookAtCallerOf(address) {
    if (this.#ledger.wasFreed(address)) this.#entries.knowCaller();
  }

  /** Whether a block can be at this address, or around it; if so, the records that follow are about the instance. */
  mayBeBlock(address) {
    if (!this.#ledger?.mayBeBlock(address)) return false;
    this.select();
    return true;
  }

  /** Its number, in the order of the instances. */
  get number() {
    return this.#number;
  }

  /** The entry under way. */
  get entry() {
    return this.#entries.current;
  }

  /** Four more values are passed on: which of the parameters that can be addresses the first of them is. */
  pass() {
    return this.#entries.pass();
  }

  /** No code of the module is running, at the end: entries that have not returned never will. */
  end() {
    const { running, tell } = EXPORTS;
    this.exports[tell]?.();
    if (!(this.exports[running]?.value > 0)) return;
    const { stack_pointer } = this.module.map;
    const stackPointer = stack_pointer === null ? undefined : this.exports[`${EXPORTS.global}${stack_pointer}`];
    this.#entries.didNotReturn(unsigned(stackPointer?.value ?? 0));
  }

  /** A function that the program has called returns. */
  returning(index) {
    this.#entries.returning(index);
  }

  /** Whether what an entry is passed, or returns, crosses between the module and the program. */
  get isCrossed() {
    return this.#entries.current.isCrossed;
  }

  /** The program enters; returns the level of the entry. */
  entered(index, level, running, stackPointer, a, b, c, d) {
    if (this.#number < 0) this.#announce();
    if (this.#ledger.looksAgain) this.#lookAgain();
    this.#calls.add(this.#number, index);
    if (this.module.url === undefined) this.#recorder.frames.learn(this.module);
    if ((level | running) !== 0) level = this.#entries.levelOf(level, running, stackPointer);
    this.#entries.open(level, index, stackPointer, a, b, c, d);
    // Inside another entry it is active already.
    if (this.isNumbered && level === 0) this.#recorder.threads.isActive();
    return level;
  }

  /** The program is back from an import, and entered meanwhile. */
  resumed(level) {
    this.select();
    this.#entries.resumed(level);
  }

  /** An exported function has returned something; returns whether that is the memory's size. */
  sizeTold(index, value) {
    const unit = this.module.map.sizes[index];
    if (unit === undefined || this.#memory === undefined) return false;
    const pages = unit === "bytes" ? value / PAGE_BYTES : value;
    this.#records.sizeRead(this.#ledger.number, SIZE_READ_BY.INSTRUCTION, pages, this.#contexts.ofHost());
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
    const { instances, memories } = this.#recorder;
    const { map } = this.module;
    // A reader that comes to the memory first knows that the recording is one of several before it has read a large module.
    this.#ledger = memories.ledgerOf(this.#memory ?? this.#importedMemory(), map);
    this.isNumbered = this.#ledger.isNumbered;
    if (this.module.hooked.size > 0 && !this.module.importsAllocator) this.#hasAllocator();
    if (map.makes_objects) this.#ledger.hasObjects = true;
    this.#records.instance(instances.next, this.module.number, this.#ledger.number);
    if (map.checked !== null && map.checked !== undefined) this.#records.checked(map.checked);
    for (const unchecked of map.unchecked ?? []) this.#records.unchecked(unchecked);
    this.#number = instances.add(this);
  }

  #hasAllocator() {
    this.#ledger.hasAllocator = true;
    this.#recorder.memories.hasState(this.#ledger, this.module.map.allocator.state);
  }

  #importedMemory() {
    const [module, name] = this.module.map.memory_import ?? [];
    const memory = module === undefined ? undefined : this.#imports?.[module]?.[name];
    return isMemory(memory) ? memory : undefined;
  }

  /** An allocation failed. The host may write to where it points: looks now, and when it calls next. */
  allocationFailed() {
    this.look();
    this.#ledger.looksAgain = true;
  }

  #lookAgain() {
    this.#ledger.looksAgain = false;
    this.look();
  }

  /** Records what has changed in low memory since the last look. */
  look() {
    const change = this.#ledger?.look();
    if (change === undefined) return;
    this.select();
    this.#records.lowMemory(change.first, change.last, change.changed);
  }
}
