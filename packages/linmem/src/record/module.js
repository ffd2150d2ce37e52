// A module as the recorder knows it: the original, what it became, and what its events are numbered by.

import { compile } from "./engine.js";
import { ContextTable } from "./context-table.js";
import { KnownPaths } from "./known-paths.js";
import { CALLS_LOOKED_AT, EXPORTS, OBJECTS_LOOKED_AT, ROLES } from "./names.js";
import { offsetsIn } from "./offsets.js";
import { withOnlySections } from "./sections.js";

// The wrapper of an allocator function is named `malloc: dlmalloc`.
const WRAPPER = new RegExp(`^(?:${ROLES.join("|")}): `);

// A module without contents, in place of one that is gone.
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

const ADDED = Object.freeze({ kind: "added" });

export class Module {
  #announced;
  #original;
  #fallbackName;
  #number;
  #functions;
  #places;

  // Where its code is in the original. Wanted at the first stack.
  #offsets;
  #constructors;

  // By place: how many more calls of the function are looked at when they begin.
  #looks;
  #tellsSize;
  #sections = new Map();

  /** How many entries there were with each first context. */
  entriesOfContext = [];

  /** Contexts that begin in a function that was entered unseen, and that function; undefined while there are none. */
  unseen = undefined;

  /** Stacks taken below each function that the program calls, and of its callers, when those of all are used up. */
  stacksOfEntry = new Map();
  callersOfEntry = new Map();

  /** By instruction: how often the stack of its bad accesses was looked at, and its context. */
  accesses = new Map();

  /** The contexts of bad accesses, by their frames. */
  contextsOfAccesses = new Map();

  /** Contexts of its events, by the module's own value for them. */
  contexts = new ContextTable();

  /** What instrumentation made of it; undefined where it was compiled in another thread. */
  wasm = undefined;

  /** The engine's name for it in stacks, once one was taken. */
  url = undefined;

  /**
   * `map` is what instrumentation says about the module whose bytes `original()` gives; they may stand beside the recording.
   * `key` names its content, and `fallbackName` is for one without a name. `announced(module)` writes it into the trace, and returns its number there.
   */
  constructor({ key, original, isBeside = false, map, fallbackName, announced }) {
    this.key = key;
    /** Whether it stands beside the recording. */
    this.isBeside = isBeside;
    this.#announced = announced;
    this.#original = original;
    this.#fallbackName = fallbackName;
    this.map = map;
    /** What is known of the ways through it. */
    this.paths = new KnownPaths(map);
    this.importCount = map.imports;
    // The hooks, which are added, come right after them.
    this.importedFunctions = map.functions.indexOf(null);
    /** The functions of the allocator. */
    this.hooked = new Set(map.allocator.functions.map((hooked) => hooked.function));
    /** Whether it only imports the allocator's functions, as a module does that is linked to another one at run time. */
    this.importsAllocator = map.allocator.functions.length > 0 && map.allocator.functions.every((hooked) => hooked.function < this.importedFunctions);
    /** The indices of the functions that the program can call, ascending. */
    this.entries = map.entries;
    this.#places = placesOf(map.entries);
    this.#constructors = new Set(map.constructors);
    this.#looks = Uint16Array.from(map.entries, (index) => this.#looksFor(index));
    this.#tellsSize = Object.keys(map.sizes).length > 0;
    /** The names under which instrumentation exports its tables of functions. */
    this.tables = map.tables.map((index) => `${EXPORTS.table}${index}`);
  }

  /** Whether this function, which the program can call, tells the size of the memory. */
  tellsSizeIn(index) {
    return this.#tellsSize && this.map.sizes[index] !== undefined;
  }

  /** Its number in the trace, where it is written the first time that it is asked for. */
  get number() {
    return (this.#number ??= this.#announced(this));
  }

  get name() {
    return this.map.name || this.#fallbackName;
  }

  /** The bytes as the program wrote them. */
  get bytes() {
    return this.#original() ?? EMPTY;
  }

  /**
   * A compiled module that has only the original's custom sections of this name: a page must not compile 8 MB at once in
   * its own thread.
   */
  sections(name) {
    if (!this.#sections.has(name)) this.#sections.set(name, compile(withOnlySections(this.bytes, name)));
    return this.#sections.get(name);
  }

  /** The indices of the exported functions of the original, by name. */
  get exportedFunctions() {
    return (this.#functions ??= new Map(this.map.exports));
  }

  /** The place of a function among those that the program can call; -1 if it is none of them. */
  placeOf(index) {
    return this.#places[index] ?? -1;
  }

  /** Whether to look at the callers of a call of this function that begins. */
  wantsLook(index) {
    const place = this.placeOf(index);
    if (place < 0 || this.#looks[place] === 0) return false;
    this.#looks[place]--;
    return true;
  }

  /** A call of this function did not return: the next ones are looked at again. */
  lookAgain(index) {
    this.#looks[this.placeOf(index)] = this.#looksFor(index);
  }

  // Each object may be left, so each one's maker is of interest.
  #looksFor(index) {
    return this.#constructors.has(index) ? OBJECTS_LOOKED_AT : CALLS_LOOKED_AT;
  }

  /** What to call a function that has no name: its export's name may tell. */
  nameOf(index) {
    for (const [name, exported] of this.exportedFunctions) if (exported === index) return name;
    return `function ${index}`;
  }

  /**
   * What a frame of the engine stands for: `{ kind, index, offset, name }`; kinds are those of the map, and "function", whose
   * calls have `step`: what they do to the calling context.
   */
  originOf({ index, offset, name }) {
    const origin = this.map.functions[index];
    if (origin === null || origin === undefined) return ADDED;
    if (typeof origin === "number") return { kind: "function", index: origin, name, ...this.#placeOf(offset) };
    const [kind, original] = origin;
    return { kind, index: original, offset: undefined, name: kind === "wrapper" ? name?.replace(WRAPPER, "") : name };
  }

  // The last pair that begins before the offset tells.
  #placeOf(offset) {
    const offsets = (this.#offsets ??= offsetsIn(this.map.offsets));
    const pair = upTo(offsets.new, offset) - 1;
    if (pair < 0) return { offset: undefined, step: undefined };
    const start = offsets.new[pair];
    return { offset: offset - start + offsets.original[pair], step: offset === start ? this.map.steps?.[pair] : undefined };
  }
}

function placesOf(indices) {
  const places = new Int32Array((indices.at(-1) ?? -1) + 1).fill(-1);
  indices.forEach((index, place) => (places[index] = place));
  return places;
}

// How many are before the offset, or there.
function upTo(offsets, offset) {
  let [low, high] = [0, offsets.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle] <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
