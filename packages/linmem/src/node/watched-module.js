// A module as the recorder knows it: what it was, what it became, and what its events are numbered by.

import { compile } from "./engine.js";
import { ContextTable } from "./context-table.js";
import { exportedFunctions, importCount, moduleName } from "./sections.js";
import * as trace from "./trace.js";

let count = 0;

export class WatchedModule {
  #hash;
  #bytes;
  #number;
  #original;
  #functions;
  #entries;
  #standIns;

  /** Contexts of its events by the module's own number for them. */
  contexts = new ContextTable();

  /** Frames of stacks by their position in the instrumented file. */
  frames = new Map();

  /** What the engine calls it in stacks, once one was taken. */
  url = undefined;

  constructor(hash, original, wasm, map) {
    this.#hash = hash;
    this.#bytes = original;
    this.wasm = wasm;
    this.map = map;
    this.importCount = importCount(original);
    // The hooks, which are added, come right after them.
    this.importedFunctions = map.functions.indexOf(null);
    this.tellsSize = Object.keys(map.sizes).length > 0;
    /** The names under which instrumentation exports its tables of functions. */
    this.tables = map.tables.map((index) => `linmem.table.${index}`);
  }

  /** Its number in the trace, where it is written the first time that it is asked for. */
  get number() {
    if (this.#number === undefined) {
      trace.moduleRecord(this.name, this.#bytes, JSON.stringify(this.map.allocator));
      this.#number = count++;
    }
    return this.#number;
  }

  get name() {
    return moduleName(this.#bytes) || `wasm-${this.#hash.slice(0, 8)}.wasm`;
  }

  /** The module as the program wrote it, compiled. */
  get original() {
    return (this.#original ??= compile(this.#bytes));
  }

  /** The indices of the exported functions of the original, by name. */
  get exportedFunctions() {
    return (this.#functions ??= exportedFunctions(this.#bytes));
  }

  /** The exported functions that it defines: their indices, and where each index stands among these. */
  get entries() {
    return (this.#entries ??= this.#listEntries());
  }

  #listEntries() {
    const indices = [...this.exportedFunctions.values()];
    const functions = [...new Set(indices)].filter((index) => index >= this.importedFunctions);
    const places = [];
    functions.forEach((index, place) => (places[index] = place));
    return { functions, places };
  }

  /** Pairs of names: of a function that can be met elsewhere too, and of the export that stands in for it. */
  get standIns() {
    return (this.#standIns ??= this.#listStandIns());
  }

  #listStandIns() {
    const names = new Map([...this.exportedFunctions].map(([name, index]) => [index, name]));
    return this.map.stand_ins.map((index) => [`linmem.function.${index}`, names.get(index)]);
  }
}
