// Numbers the distinct call stacks of a trace. An event names its stack by a 64-bit value that the
// instrumented module computes; the stack itself is taken when a value comes for the first time.

import { MAX_CONTEXTS, MAX_STACKS } from "./names.js";

// What the host does has no such value, so each time costs a stack: a program may ask for a size in a loop.
const MAX_HOST_STACKS = 4096;

export class Contexts {
  #records;
  #frames;
  #count = 0;
  #stacks = 0;
  #hostStacks = 0;
  #byText = new Map();
  #withoutFrames = -1;

  constructor(records, frames) {
    this.#records = records;
    this.#frames = frames;
  }

  /** The context of an event of `module`, whose value for it, in two halves, comes for the first time. */
  add(module, low, high) {
    if (this.#count >= MAX_CONTEXTS) return this.#shared();
    const context = this.#define(this.#stacks++ < MAX_STACKS ? this.#frames.ofEvent(module) : []);
    module.contexts.set(low, high, context);
    return context;
  }

  /** The context of what the host does now. */
  ofHost() {
    if (this.#hostStacks >= MAX_HOST_STACKS) return this.#shared();
    this.#hostStacks++;
    const frames = this.#frames.ofHost();
    const key = frames.join("\n");
    if (!this.#byText.has(key)) this.#byText.set(key, this.#define(frames.map((host) => ({ host }))));
    return this.#byText.get(key);
  }

  // One context without frames, for all that come after too many.
  #shared() {
    if (this.#withoutFrames < 0) this.#withoutFrames = this.#define([]);
    return this.#withoutFrames;
  }

  #define(frames) {
    this.#records.context(frames);
    return this.#count++;
  }
}
