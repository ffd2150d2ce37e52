// Records the memories and the instances that the engine refuses the program, with what is alive at that time.
//
// The recorder must not be why something is refused: its WeakRefs keep instances until the job ends, so a program that
// makes thousands in one job would run out of addresses only while it is watched. So what the engine refuses for want
// of memory is tried once more when they are let go of.

import { pagesOf } from "./engine.js";
import { REFUSED } from "./names.js";

const LONGEST_WORDS = 300;

export class Refusals {
  #recorder;
  #letGo;

  // The memories that the program made, and those of live instances.
  #memories = new Set();
  #registry = new FinalizationRegistry((reference) => this.#memories.delete(reference));

  // What is said of the errors that the program got.
  #words = new WeakMap();

  constructor(recorder, letGo) {
    this.#recorder = recorder;
    this.#letGo = letGo;
  }

  /** The program has made a memory. */
  made(memory) {
    const reference = new WeakRef(memory);
    this.#memories.add(reference);
    this.#registry.register(memory, reference);
  }

  /** Calls `make`, which makes a memory, or an instance that has one. */
  guard(make) {
    try {
      return make();
    } catch (error) {
      return this.again(error, make);
    }
  }

  /** Calls `make` once more, which threw this error, if it may succeed then. */
  again(error, make) {
    if (!isForWantOfMemory(error) || this.#letGo === undefined) throw error;
    this.#recorder.instances.letGo();
    this.#letGo();
    return make();
  }

  /** The engine refused a memory. */
  memory(error) {
    if (isForWantOfMemory(error)) this.#tell(REFUSED.MEMORY, null, error, this.#recorder.contexts.ofHost());
  }

  /** An instance was not made, of a module that is watched. */
  instance(error, { module, createdIn }) {
    this.#tell(isForWantOfMemory(error) ? REFUSED.INSTANCE_MEMORY : REFUSED.INSTANCE, module.number, error, createdIn);
  }

  /** What is said of an error that the program got; undefined for others. */
  wordsOf(error) {
    return isObject(error) ? this.#words.get(error) : undefined;
  }

  #tell(what, module, error, stack) {
    const words = wordsOf(error);
    if (isObject(error)) this.#words.set(error, words);
    const { instances, records } = this.#recorder;
    instances.recordCollected();
    const { live } = instances;
    const memories = this.#alive(live);
    const pages = memories.reduce((sum, memory) => sum + pagesOf(memory), 0);
    records.refused(what, module, words, live.length, memories.length, pages, stack);
  }

  #alive(instances) {
    const made = [...this.#memories].map((reference) => reference.deref());
    return [...new Set([...made, ...instances.map(({ memory }) => memory)])].filter(Boolean);
  }
}

const isObject = (value) => typeof value === "object" && value !== null;

// A stack that overflows in a start function is a RangeError, too.
const isForWantOfMemory = (error) => error?.name === "RangeError" && /memory/i.test(error.message);

const wordsOf = (error) => (isObject(error) ? `${error.name}: ${error.message}` : String(error)).slice(0, LONGEST_WORDS);
