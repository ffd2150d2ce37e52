// What each hook means: the functions that an instrumented instance calls write a record each, or what
// crosses between the module and the program. They run millions of times a second, so they allocate
// nothing. Numbers come as i32, or as i64 for a 64-bit memory. The last argument, the instance, is not needed: each
// instance has hooks of its own.

import { HOOKS } from "./names.js";
import { unsigned } from "./numbers.js";

// All bits set: the module has not said it.
const isNone = (value) => value === -1 || value === -1n;

const known = (size) => (isNone(size) ? undefined : unsigned(size));

// Takes the number of an event, if threads share the memory; false once the recording of the process has ended.
const numberOf = (instance, records) => !instance.isNumbered || records.takeNumber();

function passAll(instance, records, a, b, c, d) {
  const first = instance.pass();
  if (!instance.isCrossed) return;
  pass(instance, records, first, a);
  pass(instance, records, first + 1, b);
  pass(instance, records, first + 2, c);
  pass(instance, records, first + 3, d);
}

function pass(instance, records, parameter, value) {
  const address = unsigned(value);
  if (!instance.mayBeBlock(address)) return;
  instance.lookAtCallerOf(address);
  const { index, caller } = instance.entry;
  if (index >= 0 && numberOf(instance, records)) records.passed(index, parameter, caller, address);
}

function handOut(instance, records, value) {
  if (instance.mayBeBlock(unsigned(value)) && numberOf(instance, records)) records.handedOut(unsigned(value));
}

// Whether the host has passed an address near 0 as its first argument, and the access is there: old glue of wasm-bindgen has
// results stored at 8, and a host may put data there itself. The second argument may be how many bytes.
const [LOWEST, NEAR_NULL, RESULTS] = [4, 1024, 16];
const wasPassed = (first, second, address) => address < NEAR_NULL && first >= LOWEST && first <= address && address - first < (second > RESULTS ? second : RESULTS);

/** The hooks of `instance`, by their names. */
export function hooksOf(instance, { instances, memories, observations, records, stop }) {
  const numbered = () => !instance.isNumbered || records.takeNumber();
  // Whether a value that a function gives to the program can be an address.
  const tellReturned = (index, address) => {
    if (!instance.mayBeBlock(address) || !numbered()) return false;
    records.returned(index, address);
    return true;
  };
  return {
    allocated(pointer, size, alignment, low, high) {
      if (instance.isTold) return;
      const context = instance.begin(low, high);
      const address = unsigned(pointer);
      const bytes = unsigned(size);
      if (address !== 0) instance.hasBlockAt(address, bytes);
      else if (bytes !== 0) instance.allocationFailed();
      if (!numbered()) return;
      if (unsigned(alignment) === 0) records.allocated(context, address, bytes);
      else records.allocatedAligned(context, address, bytes, unsigned(alignment));
      if (observations.isRunning) observations.allocated(instance, address, bytes);
    },

    freed(pointer, size, alignment, low, high) {
      if (instance.isTold) return;
      const context = instance.begin(low, high);
      instance.freed(unsigned(pointer));
      if (!numbered()) return;
      if (isNone(size)) records.freed(context, unsigned(pointer));
      else records.freedSized(context, unsigned(pointer), unsigned(size), unsigned(alignment));
      if (observations.isRunning) observations.freed(instance, unsigned(pointer), known(size));
    },

    reallocating(pointer, oldSize, alignment, newSize, low, high) {
      if (instance.isTold) return;
      const context = instance.begin(low, high);
      const address = unsigned(pointer);
      instance.newSize = unsigned(newSize);
      if (!numbered()) return;
      if (isNone(oldSize)) records.reallocating(context, address, instance.newSize);
      else records.reallocatingSized(context, address, unsigned(oldSize), unsigned(alignment), instance.newSize);
      if (observations.isRunning) observations.reallocating(instance, address, known(oldSize), instance.newSize);
    },

    reallocated(pointer) {
      if (instance.isTold) return;
      const address = unsigned(pointer);
      if (address !== 0) instance.hasBlockAt(address, instance.newSize);
      else if (instance.newSize !== 0) instance.allocationFailed();
      instance.select();
      if (!numbered()) return;
      records.reallocated(address);
      if (observations.isRunning) observations.reallocated(instance, address);
    },

    grown(deltaPages, previousPages, inAllocator, low, high) {
      // Which call it is that grows the memory.
      records.writeCounts();
      const context = instance.begin(low, high);
      if (!numbered()) return;
      if (isNone(previousPages)) records.growFailed(context, inAllocator, unsigned(deltaPages));
      else {
        records.grown(context, inAllocator, unsigned(deltaPages), unsigned(previousPages));
        if (instance.ledger.isViewed && deltaPages !== 0) memories.detached(instance.ledger);
        instances.weigh();
      }
    },

    entered(index, level, running, stackPointer, a, b, c, d) {
      const known = instance.entered(index, level, running, unsigned(stackPointer), a, b, c, d);
      if (!instance.isCrossed) return instance.module.tellsSizeIn(index) ? known : ~known;
      passAll(instance, records, a, b, c, d);
      if (known === 0) instance.outParameters.begin(index, instance.memory, a, b, c, d);
      return known;
    },

    resumed(level) {
      instance.resumed(level);
    },

    passed(a, b, c, d) {
      passAll(instance, records, a, b, c, d);
    },

    returned(index, value) {
      instance.returning(index);
      if (instance.module.tellsSizeIn(index) && instance.sizeTold(index, unsigned(value))) return;
      if (!instance.isCrossed) return;
      tellReturned(index, unsigned(value));
      instance.outParameters.end(index, instance.memory, tellReturned);
    },

    handed_out(a, b, c, d) {
      handOut(instance, records, a);
      handOut(instance, records, b);
      handOut(instance, records, c);
      handOut(instance, records, d);
    },

    bad_access(instruction, address, bytes, by) {
      if (wasPassed(unsigned(instance.entry.a), unsigned(instance.entry.b), unsigned(address))) return;
      const context = instance.contextOfAccess(instruction, by);
      instance.select();
      if (numbered()) records.badAccess(context, instruction, by, unsigned(address), unsigned(bytes));
      stop?.();
    },
  };
}

/** Hooks that do nothing, for a module of which nothing is known any more. */
export const noHooks = { ...Object.fromEntries(HOOKS.map((name) => [name, () => {}])), entered: (_, level) => level };
