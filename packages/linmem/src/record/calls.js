// Counts how often the program calls each function of an instance. Calls are far too many to write
// each one, so the counts are written now and then.

export class Calls {
  #records;
  #module;
  #counts;
  #instance = -1;

  // The functions whose count is not 0, in the order of their first calls.
  #called = [];

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

  write() {
    this.#records.select(this.#instance);
    for (const index of this.#called) {
      const place = this.#module.placeOf(index);
      this.#records.called(index, this.#counts[place]);
      this.#counts[place] = 0;
    }
    this.#called.length = 0;
  }
}
