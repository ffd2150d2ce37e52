// Counts how often the program calls each function of an instance. Calls are far too many to write
// each one, so the counts are written now and then.

export class Calls {
  #records;
  #module;
  #counts;
  #instance = -1;

  // The functions whose count is not 0, in the order of their first calls.
  #called = [];

  // By function, of the calls that were looked at: how many came from which stack of the host.
  #from = new Map();

  constructor(records, module) {
    this.#records = records;
    this.#module = module;
    this.#counts = new Float64Array(module.entries.length);
  }

  /** Counts a call, in the instance that has this number in the trace. */
  add(instance, index) {
    if (this.#counts[this.#module.placeOf(index)]++ === 0) this.#begin(instance, index);
  }

  #begin(instance, index) {
    if (this.#called.length === 0) this.#records.writeLater(this);
    this.#instance = instance;
    this.#called.push(index);
  }

  /** One of the calls of this function, which was looked at, came from this stack of the host. */
  addFrom(index, stack) {
    if (!this.#from.has(index)) this.#from.set(index, new Map());
    const stacks = this.#from.get(index);
    stacks.set(stack, (stacks.get(stack) ?? 0) + 1);
  }

  write() {
    this.#records.select(this.#instance);
    for (const index of this.#called) {
      const place = this.#module.placeOf(index);
      this.#records.called(index, this.#counts[place]);
      this.#counts[place] = 0;
      for (const [stack, times] of this.#from.get(index) ?? []) this.#records.calledFrom(index, stack, times);
    }
    this.#called.length = 0;
    this.#from.clear();
  }
}
