// Addresses that a function writes to where an argument of it points: a second result, in C, which the program then reads
// from the memory itself.

import { bytesIn } from "./engine.js";
import { unsigned } from "./numbers.js";

// Calls of a function that are looked at, until one of them writes an address.
const CALLS_LOOKED_AT = 32;

const ARGUMENTS = 4;
const WORD_BYTES = 4;

// What lies lower is not an address that a compiler gives out.
const LOWEST = 1024;

export class OutParameters {
  // By function: how many more calls are looked at.
  #looks = new Map();

  #words = new Int32Array();

  // Of the call under way: its function, where its arguments point, as an index of a word or -1, and what is there at first.
  #index = -1;
  #places = new Int32Array(ARGUMENTS);
  #before = new Int32Array(ARGUMENTS);

  /** The program calls a function, which is passed these first values that can be addresses. */
  begin(index, memory, a, b, c, d) {
    this.#index = -1;
    const looks = this.#looks.get(index) ?? CALLS_LOOKED_AT;
    if (looks === 0 || memory === undefined || typeof a !== "number") return;
    this.#looks.set(index, looks - 1);
    this.#index = index;
    this.#refresh(memory);
    this.#remember(0, a);
    this.#remember(1, b);
    this.#remember(2, c);
    this.#remember(3, d);
  }

  // A memory that has grown has another buffer; of a shared one, what is new is not looked at.
  #refresh(memory) {
    if (this.#words.length === 0) this.#words = new Int32Array(bytesIn(memory).buffer);
  }

  #remember(nth, argument) {
    const address = unsigned(argument);
    const isPlace = address >= LOWEST && address % WORD_BYTES === 0 && address / WORD_BYTES < this.#words.length;
    this.#places[nth] = isPlace ? address / WORD_BYTES : -1;
    if (isPlace) this.#before[nth] = this.#words[this.#places[nth]];
  }

  /**
   * The function returns: calls `tell` with its number and each value that it has written where its arguments point, which
   * answers whether that can be an address.
   */
  end(index, memory, tell) {
    if (index !== this.#index) return;
    this.#index = -1;
    this.#refresh(memory);
    for (let nth = 0; nth < ARGUMENTS; nth++) {
      const place = this.#places[nth];
      if (place < 0 || this.#words[place] === this.#before[nth]) continue;
      if (tell(index, unsigned(this.#words[place]))) this.#looks.set(index, Infinity);
    }
  }
}
