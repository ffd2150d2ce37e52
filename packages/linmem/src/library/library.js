// The linmem library as WebAssembly (crates/linmem-js): bytes in, bytes out. It is free of any host: its user
// compiles dist/linmem.wasm, and lets it read recordings.

import { instantiate, bytesIn } from "../record/engine.js";
import { cstrings } from "../strings.js";

// A memory stays at its peak: an instance with more than this is dropped after its work.
const KEPT_BYTES = 32 * 1024 * 1024;

const NO_RECORDINGS = {
  open: () => refuse(),
  read: () => refuse(),
};

function refuse() {
  throw new Error("there are no recordings");
}

export class Library {
  #module;
  #instance;

  /** `module` is dist/linmem.wasm, compiled. */
  constructor(module) {
    this.#module = module;
  }

  /**
   * Instruments a module: `{ wasm, map }`. `hints` are pairs of a role and the name or index of a function; `checks` says
   * how accesses are checked, if they are: `{ redzone, quarantine }`, both in bytes.
   */
  instrument(wasm, hints = [], checks = null) {
    return this.#use((instance) => {
      const [instrumented, map] = instance.call("instrument", wasm, JSON.stringify(hints), JSON.stringify(checks));
      return { wasm: instrumented, map: text(map) };
    });
  }

  /** The name of the file that has a module's debug information, if it says so. */
  debugFile(wasm) {
    return this.#use((instance) => instance.call("debug_file", wasm).map(text)[0]);
  }

  /** What is in a module, as text. `debug` is the file with its debug information, if there is one. */
  inspect(wasm, hints = [], debug = new Uint8Array()) {
    return this.#use((instance) => text(instance.call("inspect", wasm, JSON.stringify(hints), debug)[0]));
  }

  /**
   * Reads recordings: their `open(name)` gives a recording at its first byte a number, and `read(number, bytes)` fills
   * bytes with its next ones and returns how many there were. Both may throw. `analysis` is `{ hotSites, collected }`: reports
   * list so many hot sites of each kind, and garbage was collected at the end, or not.
   */
  reading(recordings, analysis) {
    return new Reading(new Instance(this.#module, recordings), analysis);
  }

  // One that has trapped is of no more use.
  #use(work) {
    const instance = this.#instance ?? new Instance(this.#module, NO_RECORDINGS);
    this.#instance = undefined;
    const result = work(instance);
    if (instance.bytes <= KEPT_BYTES) this.#instance = instance;
    return result;
  }
}

/** Recordings that are being read. */
class Reading {
  #instance;
  #reading;

  constructor(instance, analysis) {
    this.#instance = instance;
    this.#reading = instance.begin(analysis);
  }

  /** Adds a recording, unless it was added before. */
  add(name) {
    this.#instance.call("add", this.#reading, name);
  }

  /** Takes in what there is by now, or a part of it; returns whether there was anything. */
  takeIn() {
    return this.#instance.call("take_in", this.#reading).length > 0;
  }

  /**
   * Ends the reading: `{ text, json, nothingWatched, errors, notes, unwatched }`, see crates/linmem-js/src/report.rs.
   */
  finish({ color = false } = {}) {
    const [verdict, report, json] = this.#instance.call("finish", this.#reading, JSON.stringify({ color }));
    return { ...JSON.parse(text(verdict)), text: text(report), json: text(json) };
  }
}

const text = (bytes) => new TextDecoder().decode(bytes);

/** An instance, until it traps. */
class Instance {
  #exports;
  #strings;
  #panic;

  constructor(module, recordings) {
    const linmem = {
      open: (name, length) => recordings.open(this.#strings.read(name >>> 0, length)),
      read: (recording, buffer, length) => recordings.read(recording, bytesIn(this.#exports.memory).subarray(buffer >>> 0, (buffer >>> 0) + length)),
      panicked: (words, length) => (this.#panic = this.#strings.read(words >>> 0, length)),
    };
    this.#exports = instantiate(module, { linmem }).exports;
    this.#strings = cstrings(this.#exports, { onNul: "allow", scratch: 0 });
  }

  /** How large its memory is. */
  get bytes() {
    return bytesIn(this.#exports.memory).length;
  }

  begin({ hotSites, collected = false }) {
    return this.#exports.begin(hotSites, Number(collected));
  }

  /** Calls a function that returns an outcome. What it is passed are numbers, texts and bytes; returns a list of bytes. */
  call(name, ...values) {
    const taken = [];
    try {
      const words = values.flatMap((value) => this.#pass(value, taken));
      const outcome = this.#outcome(this.#exports[name](...words) >>> 0);
      for (const block of taken) this.#exports.free(block);
      return outcome;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new Error(`linmem failed, which is an error of linmem itself: ${this.#panic ?? error.message}`, { cause: error });
    }
  }

  // A text, or bytes, becomes its address and length.
  #pass(value, taken) {
    if (typeof value === "number") return [value];
    if (typeof value === "string") {
      const string = this.#strings.alloc(value);
      taken.push(string.ptr);
      return [string.ptr, string.byteLength];
    }
    const block = this.#exports.malloc(value.length) >>> 0;
    if (block === 0) throw new Error(`there is no memory for ${value.length} bytes`);
    bytesIn(this.#exports.memory).set(value, block);
    taken.push(block);
    return [block, value.length];
  }

  // See Outcome in crates/linmem-js/src/outcome.rs.
  #outcome(address) {
    const bytes = bytesIn(this.#exports.memory);
    const [failed, count, first] = wordsAt(bytes, address, 3);
    const parts = Array.from({ length: count }, (_, part) => {
      const [start, length] = wordsAt(bytes, first + 8 * part, 2);
      return bytes.slice(start, start + length);
    });
    this.#exports.release(address);
    if (failed !== 0) throw new Error(text(parts[0]));
    return parts;
  }
}

const wordsAt = (bytes, address, count) => new Uint32Array(bytes.buffer, address, count);
