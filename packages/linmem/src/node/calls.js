// How often the program called each exported function of an instance. Calls are far too many to write
// each: they are counted, and the counts are written now and then.

import * as trace from "./trace.js";

export class Calls {
  #instance = -1;
  #entries;
  #counts;
  #isWritten = true;

  /** `entries` are the module's exported functions: their indices, and where each stands among them. */
  constructor(entries) {
    this.#entries = entries;
    this.#counts = new Float64Array(entries.functions.length);
  }

  /** One more call, in the instance that the trace knows by this number. */
  add(instance, index) {
    this.#counts[this.#entries.places[index]]++;
    if (this.#isWritten) this.#begin(instance);
  }

  #begin(instance) {
    this.#instance = instance;
    trace.writeLater(this);
    this.#isWritten = false;
  }

  write() {
    this.#isWritten = true;
    trace.select(this.#instance);
    this.#entries.functions.forEach((index, place) => {
      const times = this.#counts[place];
      this.#counts[place] = 0;
      if (times > 0) trace.called(index, times);
    });
  }
}
