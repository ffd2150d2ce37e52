// What an instrumented instance calls: functions that write an event each, or what crosses between the
// module and the program. They run millions of times a second, so they allocate nothing. Numbers come as
// i32, or as i64 for a 64-bit memory.

import * as observe from "./observe.js";
import * as trace from "./trace.js";
import { narrow } from "./writer.js";

const unsigned = (value) => (typeof value === "bigint" ? narrow(BigInt.asUintN(64, value)) : value >>> 0);

const isNone = (value) => value === -1 || value === -1n;

const known = (size) => (isNone(size) ? undefined : unsigned(size));

/** The imports that `instance`, a WatchedInstance, records through. */
export function hooksOf(instance) {
  return {
    allocated(pointer, size, alignment, low, high) {
      const context = instance.begin(low, high);
      const address = unsigned(pointer);
      const bytes = unsigned(size);
      if (address !== 0) instance.hasBlockAt(address, bytes);
      else if (bytes !== 0) instance.allocationFailed();
      trace.allocated(context, address, bytes, unsigned(alignment));
      if (observe.isObserving) observe.allocated(instance, address, bytes);
    },

    freed(pointer, size, alignment, low, high) {
      const context = instance.begin(low, high);
      if (isNone(size)) trace.freed(context, unsigned(pointer));
      else trace.freedSized(context, unsigned(pointer), unsigned(size), unsigned(alignment));
      if (observe.isObserving) observe.freed(instance, unsigned(pointer), known(size));
    },

    reallocating(pointer, oldSize, alignment, newSize, low, high) {
      const context = instance.begin(low, high);
      const address = unsigned(pointer);
      instance.newSize = unsigned(newSize);
      if (isNone(oldSize)) trace.reallocating(context, address, unsigned(newSize));
      else trace.reallocatingSized(context, address, unsigned(oldSize), unsigned(alignment), unsigned(newSize));
      if (observe.isObserving) observe.reallocating(instance, address, known(oldSize), unsigned(newSize));
    },

    reallocated(pointer) {
      const address = unsigned(pointer);
      if (address !== 0) instance.hasBlockAt(address, instance.newSize);
      instance.select();
      trace.reallocated(address);
      if (observe.isObserving) observe.reallocated(instance, address);
    },

    grown(deltaPages, previousPages, inAllocator, low, high) {
      const context = instance.begin(low, high);
      if (isNone(previousPages)) trace.growFailed(context, inAllocator, unsigned(deltaPages));
      else trace.grown(context, inAllocator, unsigned(deltaPages), unsigned(previousPages));
    },

    entered(index, a, b, c, d) {
      instance.entered(index);
      passed(instance, a, b, c, d);
    },

    passed(a, b, c, d) {
      passed(instance, a, b, c, d);
    },

    returned(index, value) {
      if (instance.module.tellsSize && instance.sizeTold(index, unsigned(value))) return;
      if (instance.mayBeBlock(unsigned(value))) trace.returned(index, unsigned(value));
    },

    handed_out(a, b, c, d) {
      handOut(instance, a);
      handOut(instance, b);
      handOut(instance, c);
      handOut(instance, d);
    },
  };
}

function passed(instance, a, b, c, d) {
  pass(instance, a);
  pass(instance, b);
  pass(instance, c);
  pass(instance, d);
}

function pass(instance, value) {
  if (instance.mayBeBlock(unsigned(value))) trace.passed(unsigned(value));
}

function handOut(instance, value) {
  if (instance.mayBeBlock(unsigned(value))) trace.handedOut(unsigned(value));
}

/** For a module of which nothing is known any more. */
export const noHooks = {
  allocated() {},
  freed() {},
  reallocating() {},
  reallocated() {},
  grown() {},
  entered() {},
  passed() {},
  returned() {},
  handed_out() {},
};
