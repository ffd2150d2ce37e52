// A module as the recorder knows it: the original, what it became, and what its events are numbered by.

import { compile } from "./engine.js";
import { ContextTable } from "./context-table.js";
import { EXPORTS, ROLES } from "./names.js";
import { exportedFunctions, importCount, moduleName } from "./sections.js";

// The wrapper of an allocator function is named `malloc: dlmalloc`.
const WRAPPER = new RegExp(`^(?:${ROLES.join("|")}): `);

export class Module {
  #announced;
  #bytes;
  #fallbackName;
  #number;
  #original;
  #functions;
  #entries;
  #standIns;
  #frames = new Map();

  /** Contexts of its events, by the module's own value for them. */
  contexts = new ContextTable();

  /** The engine's name for it in stacks, once one was taken. */
  url = undefined;

  /**
   * `wasm` and `map` are what instrumentation made of `original`. `fallbackName` is for a module without a name.
   * `announced(module)` writes it into the trace, and returns its number there.
   */
  constructor({ original, wasm, map, fallbackName, announced }) {
    this.#announced = announced;
    this.#bytes = original;
    this.#fallbackName = fallbackName;
    this.wasm = wasm;
    this.map = map;
    this.importCount = importCount(original);
    // The hooks, which are added, come right after them.
    this.importedFunctions = map.functions.indexOf(null);
    this.tellsSize = Object.keys(map.sizes).length > 0;
    /** The names under which instrumentation exports its tables of functions. */
    this.tables = map.tables.map((index) => `${EXPORTS.table}${index}`);
  }

  /** Its number in the trace, where it is written the first time that it is asked for. */
  get number() {
    return (this.#number ??= this.#announced(this));
  }

  get name() {
    return moduleName(this.#bytes) || this.#fallbackName;
  }

  /** The bytes as the program wrote them. */
  get bytes() {
    return this.#bytes;
  }

  /** The same, compiled. */
  get original() {
    return (this.#original ??= compile(this.#bytes));
  }

  /** The indices of the exported functions of the original, by name. */
  get exportedFunctions() {
    return (this.#functions ??= exportedFunctions(this.#bytes));
  }

  /** The exported functions that it defines: their indices, ascending, and the place of each index among these. */
  get entries() {
    return (this.#entries ??= this.#listEntries());
  }

  #listEntries() {
    const indices = new Set(this.exportedFunctions.values());
    const functions = [...indices].filter((index) => index >= this.importedFunctions).sort((a, b) => a - b);
    const places = [];
    functions.forEach((index, place) => (places[index] = place));
    return { functions, places };
  }

  /** Pairs of names: of a function that the program can meet elsewhere too, and of the export that stands in for it. */
  get standIns() {
    return (this.#standIns ??= this.#listStandIns());
  }

  #listStandIns() {
    const names = new Map([...this.exportedFunctions].map(([name, index]) => [index, name]));
    return this.map.stand_ins.map((index) => [`${EXPORTS.function}${index}`, names.get(index)]);
  }

  /** What to call a function that has no name: its export's name may tell. */
  nameOf(index) {
    for (const [name, exported] of this.exportedFunctions) if (exported === index) return name;
    return `function ${index}`;
  }

  /** A frame that the engine told, in terms of the original; null for a function that instrumentation added. */
  frameAt({ position, where, name }) {
    const known = this.#frames.get(position);
    if (known !== undefined) return known;
    const { index, offset } = where();
    const frame = this.#describe(this.map.functions[index], offset, name());
    // Most stacks share most of their frames, and the engine's words for one cost much.
    if (position === offset) this.#frames.set(position, frame);
    return frame;
  }

  #describe(origin, offset, name) {
    if (origin === null || origin === undefined) return null;
    if (Array.isArray(origin)) return { isWrapper: true, index: origin[0], offset: undefined, name: name?.replace(WRAPPER, "") };
    return { isWrapper: false, index: origin, offset: originalOffset(this.map.offsets, offset), name };
  }
}

// The last pair that begins before the offset tells.
function originalOffset(offsets, offset) {
  let [low, high] = [0, offsets.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[2 * middle] <= offset) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : offset - offsets[2 * low - 2] + offsets[2 * low - 1];
}
