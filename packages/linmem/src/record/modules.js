// Finds the watched module for bytes, or for a compiled module that may come from another thread. The
// instrument port makes what is not known yet. Where it fails, the program gets its module as it is, and the
// trace a note. The port:
//
//   instrument.key(bytes)         names a content
//   instrument.make(key, bytes)   { wasm, map, isValid, beside } for a module of this content; throws where it cannot be
//                                 instrumented. `isValid` says whether the engine takes it, undefined where it has not been
//                                 asked. Where the bytes stand beside the recording, `beside()` gives them
//   instrument.find(key, module)  { original, map } of the compiled `module`, which some thread has made; undefined where
//                                 that is gone. `original()` gives the bytes, unless these are gone
//   instrument.unavailable        why nothing can be instrumented at all; else undefined

import { bytesOf, customSections, validate } from "./engine.js";
import { Module } from "./module.js";
import { MAP_VERSION } from "./names.js";
import { withCustomSection } from "./sections.js";

// Holds the key of the original in the instrumented module, by which it is known in any thread that gets it; and the seal
// of this program, which no module knows.
const ORIGIN_SECTION = "linmem.origin";

export class Modules {
  #records;
  #threads;
  #instrument;
  #complain;
  #seal;
  #count = 0;

  // By the key of the content; null where it cannot be instrumented.
  #byKey = new Map();
  #byModule = new WeakMap();

  constructor({ records, threads }, { instrument, complain, seal }) {
    this.#records = records;
    this.#threads = threads;
    this.#instrument = instrument;
    this.#complain = complain;
    this.#seal = seal;
  }

  /** The watched module for these bytes, a buffer or a view; undefined when it is not watched. */
  ofBytes(source) {
    const original = bytesOf(source);
    if (original === undefined) return undefined; // The engine knows what to say.
    const key = this.#instrument.key(original);
    // One that came from another thread, compiled, has no code here.
    const known = this.#byKey.get(key);
    if (known !== null && known?.wasm === undefined) this.#byKey.set(key, this.#made(key, original, known));
    return this.#byKey.get(key) ?? undefined;
  }

  #made(key, original, known) {
    try {
      const { wasm, map, isValid = validate(wasm), beside } = this.#instrument.make(key, original);
      if (!isValid) throw new Error("the engine refuses the instrumented module");
      const module = known ?? this.#watched(key, beside ?? ownCopy(original), map, beside !== undefined);
      module.wasm = withCustomSection(wasm, ORIGIN_SECTION, `${key} ${this.#seal}`);
      return module;
    } catch (error) {
      if (validate(original)) this.#notWatched(key, error.message);
      return null;
    }
  }

  #notWatched(key, reason) {
    this.#records.note(`module ${nameOf(key)} is not watched: ${reason}`);
    if (this.#instrument.unavailable !== undefined) this.#complain(`${reason}: nothing is watched`);
  }

  /**
   * The watched module that was compiled to `module`, in this thread or another; undefined for one that is
   * not instrumented, null for an instrumented one of which nothing is known any more.
   */
  ofCompiled(module) {
    if (!this.#byModule.has(module)) this.#byModule.set(module, this.#originOf(module));
    return this.#byModule.get(module);
  }

  #originOf(module) {
    // A module may have sections of this name by itself: the recorder's is the last one.
    const section = customSections(module, ORIGIN_SECTION).at(-1);
    if (section === undefined) return undefined;
    const [key, seal] = new TextDecoder().decode(section).split(" ");
    if (seal !== this.#seal) return undefined;
    if (!this.#byKey.has(key)) this.#byKey.set(key, this.#found(key, module));
    return this.#byKey.get(key);
  }

  #found(key, module) {
    try {
      const found = this.#instrument.find(key, module);
      if (found === undefined) return null;
      const { original, map } = found;
      // Large ones are not read where another thread has written them to its trace.
      if (this.#threads.isHandedOn(key)) return this.#watched(key, original, map);
      const bytes = original();
      return bytes === undefined ? null : this.#watched(key, () => bytes, map);
    } catch {
      return null;
    }
  }

  #watched(key, original, map, isBeside = false) {
    if (map.version !== MAP_VERSION) throw new Error(`a map of version ${map.version} cannot be read`);
    return new Module({ key, original, isBeside, map, fallbackName: nameOf(key), announced: (module) => this.#announced(module) });
  }

  #announced(module) {
    const known = this.#threads.moduleWith(module.key);
    if (known !== undefined) this.#records.moduleOfProcess(known);
    else {
      const file = module.isBeside ? bytesOfKey(module.key) : module.bytes;
      this.#records.module(module.name, file, JSON.stringify(module.map.allocator), module.isBeside);
      this.#threads.handOn(module.key);
    }
    return this.#count++;
  }
}

// The program may change its bytes while they are compiled.
function ownCopy(bytes) {
  const copy = bytes.slice();
  return () => copy;
}

const bytesOfKey = (key) => Uint8Array.from(key.match(/../g), (digits) => parseInt(digits, 16));

const nameOf = (key) => `wasm-${key.slice(0, 8)}.wasm`;
