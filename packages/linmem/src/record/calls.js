// Counts how often the program calls each function of an instance. Calls are far too many to write
// each one, so the counts are written now and then.

export class Calls {
  #records;
  #entries;
  #counts;
  #instance = -1;

  // The functions whose count is not 0, in the order of their first calls.
  #called = [];

  /** `entries` are the functions that the program can call: their indices, and the place of each among them. */
  constructor(records, entries) {
    this.#records = records;
    this.#entries = entries;
    this.#counts = new Float64Array(entries.functions.length);
  }

  /** Counts a call, in the instance that has this number in the trace. */
  add(instance, index) {
    if (this.#counts[this.#entries.places[index]]++ === 0) this.#begin(instance, index);
  }

  #begin(instance, index) {
    if (this.#called.length === 0) this.#records.writeLater(this);
    this.#instance = instance;
    this.#called.push(index);
  }

  write() {
    this.#records.select(this.#instance);
    for (const index of this.#called) {
      const place = this.#entries.places[index];
      this.#records.called(index, this.#counts[place]);
      this.#counts[place] = 0;
    }
    this.#called.length = 0;
  }
}
