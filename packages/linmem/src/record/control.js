// What the recorders of one process share: one memory, made by the first of them and handed to the others
// through a port. It holds the counter of counter.js, the list of shared-memories.js and the slots of slots.js.
// Untouched slots take address space only: the engine gets zeroed pages from the system.
//
//   bytes 0..1023      words of the process, see WORDS
//   from 1,024 on      64 bytes for each slot: its header
//   from 65,536 on     256 KiB for each slot: its records

import { bufferBehind, bytesIn } from "./engine.js";

// A program may replace them.
const { Memory } = WebAssembly;
const { add, load, or, store, wait } = Atomics;
const { now } = Date;

export const SLOTS = 64;
export const SLOT_BYTES = 262144;

/** Where a word of the process stands, as an index into `words`. Words that are written often have no neighbours. */
export const WORDS = {
  NUMBER: 0, // and 1: the next number of an event, 64 bits
  ENDED: 32, // 1 once the recording has ended
  KEPT: 33, // 1 once a thread has something worth a trace
  THREADS: 34, // how many threads were given a number, where the host gives none
  MEMORIES: 48, // how many shared memories have a number
  MEMORIES_LOCK: 49, // the thread that looks for a memory's number, plus 1; else 0
  WATCHED: 64, // to 127: a bit for each thread that has a recorder
  RUNNING: 128, // to 191: a bit for each thread that has run code of the program
  MODULES: 192, // how many modules have a number
  KEYS: 194, // to 255: two words of the key of each module that a thread has handed on
};

// Modules of which other threads can learn that they are in a trace.
const MODULES = 31;

// A key is hexadecimal digits.
const wordOf = (key, at) => parseInt(key.slice(8 * at, 8 * at + 8), 16) | 0;

// Threads that have bits.
const THREADS = 2048;

const HEADERS_AT = 1024;
const HEADER_BYTES = 64;
const SLOTS_AT = 65536;
const PAGES = (SLOTS_AT + SLOTS * SLOT_BYTES) / 65536;

export class Control {
  /** `memory` is that of another thread of this process; without it, this thread is the first one. */
  constructor(memory = new Memory({ initial: PAGES, maximum: PAGES, shared: true })) {
    this.memory = memory;
    this.buffer = bufferBehind(bytesIn(memory));
    this.words = new Int32Array(this.buffer, 0, HEADERS_AT / 4);
  }

  /** Where the header of a slot is. */
  headerAt(slot) {
    return HEADERS_AT + slot * HEADER_BYTES;
  }

  /** The header of a slot as 32-bit words. */
  header(slot) {
    return new Int32Array(this.buffer, this.headerAt(slot), HEADER_BYTES / 4);
  }

  /** The same header as 64-bit words. */
  longHeader(slot) {
    return new BigInt64Array(this.buffer, this.headerAt(slot), HEADER_BYTES / 8);
  }

  /** The room for a slot's records. */
  room(slot) {
    return new Uint8Array(this.buffer, SLOTS_AT + slot * SLOT_BYTES, SLOT_BYTES);
  }

  /** Whether the recording of the process has ended: what happens from now on is not recorded. */
  get hasEnded() {
    return load(this.words, WORDS.ENDED) === 1;
  }

  /** A number for a further thread. The first one is 0. */
  newThread() {
    return add(this.words, WORDS.THREADS, 1) + 1;
  }

  /** This thread has a recorder. */
  watched(thread) {
    this.#mark(WORDS.WATCHED, thread);
  }

  /** A thread runs code of the program. */
  runs(thread) {
    this.#mark(WORDS.RUNNING, thread);
  }

  /** A number for a module that a thread has written into its trace; undefined after too many. */
  newModule() {
    if (load(this.words, WORDS.MODULES) >= MODULES) return undefined;
    const number = add(this.words, WORDS.MODULES, 1);
    return number < MODULES ? number : undefined;
  }

  /** Hands a module on: it and its number are in the file of a trace by now. */
  handOn(number, key) {
    store(this.words, WORDS.KEYS + 2 * number + 1, wordOf(key, 1));
    store(this.words, WORDS.KEYS + 2 * number, wordOf(key, 0));
  }

  /** The number of the module with this key; undefined if none was handed on. */
  moduleWith(key) {
    const [first, second] = [wordOf(key, 0), wordOf(key, 1)];
    for (let number = 0; number < MODULES; number++) {
      const at = WORDS.KEYS + 2 * number;
      // The first word is zero as long as the second one may be.
      if (first !== 0 && load(this.words, at) === first && load(this.words, at + 1) === second) return number;
    }
    return undefined;
  }

  #mark(word, thread) {
    if (thread < THREADS) or(this.words, word + (thread >> 5), 1 << (thread & 31));
  }

  /** Whether a thread has run code of the program without a recorder. */
  get hasUnwatched() {
    const count = THREADS / 32;
    for (let word = 0; word < count; word++) {
      if ((load(this.words, WORDS.RUNNING + word) & ~load(this.words, WORDS.WATCHED + word)) !== 0) return true;
    }
    return false;
  }

  /** This thread has something worth a trace. */
  keeps() {
    store(this.words, WORDS.KEPT, 1);
  }

  /** Whether any thread has, or had. */
  get isKept() {
    return load(this.words, WORDS.KEPT) === 1;
  }

  /** Whether any event has a number. */
  get hasEvents() {
    return load(this.words, WORDS.NUMBER) !== 0 || load(this.words, WORDS.NUMBER + 1) !== 0;
  }

  /** Ends the recording of the process. */
  end() {
    store(this.words, WORDS.ENDED, 1);
  }
}

/** Waits as `Atomics.wait` does. A page must not: there, it looks again and again. */
export function waitAt(words, index, value, milliseconds) {
  try {
    return wait(words, index, value, milliseconds);
  } catch {
    for (const until = now() + milliseconds; now() < until; ) if (load(words, index) !== value) return "not-equal";
    return "timed-out";
  }
}
