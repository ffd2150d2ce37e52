// Maps a 64-bit value, in two halves, to the number of a context. A hash table with open addressing in
// one array, so that an event allocates nothing. Numbers are kept plus 1; 0 marks a free place.

const WORDS = 3;

export class ContextTable {
  #places = 256;
  #table = new Int32Array(this.#places * WORDS);
  #used = 0;

  /** The context of a value, or -1. */
  get(low, high) {
    return this.#table[this.#find(low, high) + 2] - 1;
  }

  set(low, high, context) {
    if (2 * this.#used >= this.#places) this.#double();
    const at = this.#find(low, high);
    this.#table[at] = low;
    this.#table[at + 1] = high;
    this.#table[at + 2] = context + 1;
    this.#used++;
  }

  // The place of the value, or the free place for it.
  #find(low, high) {
    const table = this.#table;
    const last = this.#places - 1;
    let place = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    place = (place ^ (place >>> 15)) & last;
    for (;;) {
      const at = place * WORDS;
      if (table[at + 2] === 0 || (table[at] === low && table[at + 1] === high)) return at;
      place = (place + 1) & last;
    }
  }

  #double() {
    const before = this.#table;
    this.#places *= 2;
    this.#table = new Int32Array(this.#places * WORDS);
    this.#used = 0;
    for (let at = 0; at < before.length; at += WORDS) {
      if (before[at + 2] !== 0) this.set(before[at], before[at + 1], before[at + 2] - 1);
    }
  }
}
