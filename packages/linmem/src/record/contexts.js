// Numbers the distinct call stacks of a trace: of the module's part, which an event names by a 64-bit value that
// the instrumented module computes, and of the host's.

import { CALLERS_OF_CONTEXT, CALLERS_OF_ENTRY, FRAMES_OF_A_STACK, MAX_CALLER_FRAMES, MAX_CONTEXTS, MAX_RARE_CALLER_FRAMES, MAX_STACKS, STACKS_OF_ENTRY } from "./names.js";

// What the host does has no such value, so each time costs a stack: a program may ask for a size in a loop.
const MAX_HOST_STACKS = 4096;

// Frames of events' own stacks that are taken in full. A frame costs more the larger its function is: more than a
// microsecond in an interpreter, whose stacks are the deepest too. After these, so many of the engine's frames of a stack
// are taken.
const MAX_FRAMES = 131072;
const SHORT_STACK = 24;

const NOT_LOOKED_AT = "(callers not looked at)";

export const isPowerOfTwo = (number) => (number & (number - 1)) === 0;

const kindOf = (level) => (level === 0 ? 0 : 1);

// Whether one more stack of an entry is within its own part.
function isWithinPart(stacksOfEntry, entry, most) {
  const taken = (stacksOfEntry.get(entry) ?? 0) + 1;
  stacksOfEntry.set(entry, taken);
  return taken <= most;
}

export class Contexts {
  #records;
  #frames;
  #count = 0;
  #stacks = 0;
  #framesTaken = 0;
  #withoutFrames = -1;

  #hostCount = 0;
  #hostStacks = 0;
  #hostWithoutFrames = -1;
  #unknown;

  // Frames of callers so far: of outermost entries, and of entries inside others, which come more often and deeper.
  #callers = [0, 0];

  // Frames of callers that were looked at when calls began.
  #lookedAt = 0;

  // The stacks of the host as trees, by module: each edge is a frame.
  #trees = new Map();

  constructor(records, frames) {
    this.#records = records;
    this.#frames = frames;
  }

  /**
   * The stack of a new context as `ofEvent` of the frames has it, if it is still within the budget. Whoever comes first
   * cannot use up all of it: each function that the host calls has a part of its own.
   */
  take(module, entries, low, high, needsCaller) {
    if (this.#stacks < MAX_STACKS) this.#stacks++;
    else if (!isWithinPart(module.stacksOfEntry, entries.current.index, STACKS_OF_ENTRY)) return { inner: [], caller: undefined, isSeen: true };
    if (this.#framesTaken >= MAX_FRAMES) return this.#frames.ofEventInShort(module, SHORT_STACK);
    const known = needsCaller ? undefined : this.#frames.ofContextNearby(module, low, high);
    const taken = known ?? this.#frames.ofContext(module, low, high, entries.callers);
    this.#framesTaken += taken.inner.length + taken.caller.length;
    return taken;
  }

  /** The context of an event of `module` whose value for it, in two halves, comes for the first time. */
  add(module, low, high, frames) {
    if (this.#count >= MAX_CONTEXTS) return this.#shared();
    const context = this.#define(frames);
    module.contexts.set(low, high, context);
    return context;
  }

  /** The context of a bad access, which has no value of the module's, and its callers. */
  ofAccess(module, entries) {
    const { inner, caller } = this.#frames.ofEvent(module, entries.callers);
    const key = inner.map(({ index, offset, host }) => host ?? `${index}:${offset}`).join(" ");
    let context = module.contextsOfAccesses.get(key);
    if (context === undefined) {
      context = this.#count >= MAX_CONTEXTS ? this.#shared() : this.#define(inner);
      module.contextsOfAccesses.set(key, context);
    }
    return { context, caller };
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

  /**
   * Whether to take the callers of an entry, a call of the function `entry`, which is the `nth` with the same first
   * context. A program with very many contexts cannot have all of them looked at, but each function has a part.
   */
  wantsCaller(module, entry, level, nth) {
    const isRare = isPowerOfTwo(nth);
    const kind = kindOf(level);
    const taken = this.#callers[kind];
    if (taken < MAX_CALLER_FRAMES[kind]) return isRare || nth <= CALLERS_OF_CONTEXT;
    return (isRare && taken < MAX_RARE_CALLER_FRAMES[kind]) || isWithinPart(module.callersOfEntry, entry, CALLERS_OF_ENTRY[kind]);
  }

  /** The number of the stack of what the host does now. */
  ofHost() {
    if (this.#hostStacks >= MAX_HOST_STACKS) return this.#hostShared();
    this.#hostStacks++;
    const frames = this.#frames.ofHost();
    return this.#ofFrames(this.#frames.moduleIn(frames), frames);
  }

  /** The number of the stack of the callers of an entry at this level, given the engine's frames, in `module`. */
  ofCaller(module, level, frames) {
    this.#callers[kindOf(level)] += frames.length + FRAMES_OF_A_STACK;
    return this.#ofFrames(module, frames);
  }

  /** Whether callers may still be looked at when calls begin: a function may fail for ever. */
  get mayLook() {
    return this.#lookedAt < MAX_CALLER_FRAMES[0];
  }

  /** The number of the stack of callers that are looked at when a call begins, given the engine's frames. */
  ofLook(module, frames) {
    this.#lookedAt += frames.length + FRAMES_OF_A_STACK;
    return this.#ofFrames(module, frames);
  }

  #ofFrames(module, frames) {
    if (!this.#trees.has(module)) this.#trees.set(module, { next: undefined, number: -1 });
    let node = this.#trees.get(module);
    for (const frame of frames) {
      node.next ??= new Map();
      let next = node.next.get(frame);
      if (next === undefined) node.next.set(frame, (next = { next: undefined, number: -1 }));
      node = next;
    }
    if (node.number < 0) node.number = this.#defineHost(module, this.#frames.shown(frames, module));
    return node.number;
  }

  /** The number of a stack that says that it cannot be known: a reader does not take other callers for it. */
  ofUnknown() {
    return (this.#unknown ??= this.#defineHost(undefined, [{ host: NOT_LOOKED_AT }]));
  }

  #hostShared() {
    if (this.#hostWithoutFrames < 0) this.#hostWithoutFrames = this.#defineHost(undefined, []);
    return this.#hostWithoutFrames;
  }

  #defineHost(module, frames) {
    this.#records.hostStack(module === undefined ? null : module.number, frames);
    return this.#hostCount++;
  }
}
