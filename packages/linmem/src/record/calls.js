// Counts how often the program calls each exported function of an instance. Calls are far too many to write
// each one, so the counts are written now and then.

export class Calls {
  #records;
  #entries;
  #counts;
  #instance = -1;
  #isWritten = true;

  /** `entries` are the module's exported functions: their indices, and the place of each among them. */
  constructor(records, entries) {
    this.#records = records;
    this.#entries = entries;
    this.#counts = new Float64Array(entries.functions.length);
  }

  /** Counts a call, in the instance that has this number in the trace. */
  add(instance, index) {
    this.#counts[this.#entries.places[index]]++;
    if (this.#isWritten) this.#begin(instance);
  }

  #begin(instance) {
    this.#instance = instance;
    this.#records.writeLater(this);
    this.#isWritten = false;
  }

  write() {
    this.#isWritten = true;
    this.#records.select(this.#instance);
    this.#entries.functions.forEach((index, place) => {
      const times = this.#counts[place];
      this.#counts[place] = 0;
      if (times > 0) this.#records.called(index, times);
    });
  }
}
