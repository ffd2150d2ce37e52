// The instances of a recording that are not collected yet.

export class Instances {
  #records;
  #live = new Map();
  #count = 0;
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
    return number;
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
