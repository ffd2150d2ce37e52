// The instances of a recording that are not collected yet.
//
// When the engine collects an instance that the program has let go of, as where `main` has returned, differs from run to
// run. So a program that makes few has them kept to its end, as long as their memories are small.

import { pagesOf } from "./engine.js";

// A program with more makes them again and again.
const MOST_KEPT = 4;

// 256 MiB.
const MOST_KEPT_PAGES = 4096;

export class Instances {
  #records;
  #live = new Map();
  #count = 0;

  // Those that are kept; undefined when none are any more.
  #kept = [];
  #registry = new FinalizationRegistry((number) => this.#collected(number));

  constructor(records) {
    this.#records = records;
  }

  /** Those that are left. */
  get live() {
    return [...this.#live.values()].map((reference) => reference.deref()).filter(Boolean);
  }

  /** The number that the next instance gets in the trace. */
  get next() {
    return this.#count;
  }

  /** Adds an instance that is in the trace by now, and returns its number. */
  add(instance) {
    const number = this.#count++;
    this.#live.set(number, new WeakRef(instance));
    this.#registry.register(instance, number);
    if (number < MOST_KEPT) this.#kept?.push(instance);
    else this.letGo();
    return number;
  }

  /** A memory has grown. */
  weigh() {
    if (this.#kept === undefined) return;
    const memories = new Set(this.#kept.map(({ memory }) => memory).filter(Boolean));
    const pages = [...memories].reduce((sum, memory) => sum + pagesOf(memory), 0);
    if (pages > MOST_KEPT_PAGES) this.letGo();
  }

  /** From now on, none is kept that the program does not have. */
  letGo() {
    this.#kept = undefined;
  }

  /** Records those that are collected, and of which the engine has not told yet. */
  recordCollected() {
    for (const [number, reference] of [...this.#live]) if (reference.deref() === undefined) this.#collected(number);
  }

  #collected(number) {
    if (!this.#live.has(number)) return;
    this.#live.delete(number);
    this.#records.writeCounts();
    this.#records.select(number);
    this.#records.collected();
  }
}
