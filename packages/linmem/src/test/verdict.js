// Judges the same call made again and again: whether pages and live bytes come to rest. The rule is that of
// `linmem call --times` (testdata/repeats.json): what the second half of the calls adds to the first is growth.

// Calls that a verdict needs, unless nothing ever changed.
const ENOUGH = 4;

export class Repeats {
  #times;
  #calls = 0;
  #lastRise = 0;
  #highest;
  #firstHalf;
  #atHalf;
  #last;

  /** Before the first of `times` calls. A state has `pages`, `liveBytes` and `unknownFrees`. */
  constructor(times, before) {
    this.#times = times;
    this.#highest = this.#firstHalf = this.#atHalf = this.#last = before;
  }

  /** After a call. */
  add(state) {
    this.#calls++;
    if (exceeds(state, this.#highest)) {
      this.#lastRise = this.#calls;
      this.#highest = highest(state, this.#highest);
    }
    if (this.#calls <= this.#times / 2) [this.#firstHalf, this.#atHalf] = [this.#highest, state];
    this.#last = state;
  }

  /** `steady` with the last call after which there was more than ever, `too-few`, or `growing` with what grows. */
  verdict() {
    const steady = { kind: "steady", afterCall: this.#lastRise };
    if (this.#lastRise === 0 && this.#calls > 1) return steady;
    if (this.#calls < ENOUGH) return { kind: "too-few" };
    if (!exceeds(this.#highest, this.#firstHalf)) return steady;
    return {
      kind: "growing",
      pagesRose: this.#highest.pages > this.#firstHalf.pages,
      unknownFrees: this.#last.unknownFrees - this.#atHalf.unknownFrees,
      liveBytesPerCall: this.#perCall("liveBytes"),
      pagesPerCall: this.#perCall("pages"),
    };
  }

  #perCall(what) {
    const sinceHalf = this.#calls - Math.floor(this.#calls / 2);
    return Math.max(this.#last[what] - this.#atHalf[what], 0) / sinceHalf;
  }
}

const exceeds = (a, b) => a.pages > b.pages || a.liveBytes > b.liveBytes;

const highest = (a, b) => ({ pages: Math.max(a.pages, b.pages), liveBytes: Math.max(a.liveBytes, b.liveBytes) });
