// Records what the host does with memories: the sizes that the program reads, growths from outside, and
// the use of views that a growth has detached. The methods of typed arrays are watched only once there are such views.
//
// Reading a typed array itself (`view[i]`, `view.length`, `view.byteLength`, all `undefined` or 0 when it is
// detached) goes unnoticed: it is not a function call, or too frequent to be watched.

import { bufferBehind, isDetached, isMemory, isShared, pagesIn, pagesOf, PAGE_BYTES } from "./engine.js";
import { Ledger } from "./ledger.js";
import { SIZE_READ_BY } from "./names.js";
import { PRIVATE, UNKNOWN } from "./records.js";

// A snapshot of a memory has at least this many bytes; what is smaller is not looked at.
const LEAST_SNAPSHOT_BYTES = 1024;

const WORD_BYTES = 4;

// Memories that are searched for an address.
const MOST_SEARCHED = 32;

const UNWATCHED =
  "a worker thread was not watched, as its `env` has no NODE_OPTIONS that load linmem: nobody knows what it did with shared memories, so they are not judged";

export class Memories {
  #records;
  #contexts;
  #ledgers = new WeakMap();
  #count = 0;

  // The maximum that the program asked for, in pages.
  #maximums = new WeakMap();
  #isQuiet = false;

  // Where a buffer came from: { ledger, memory: its number, pages: when it was handed out }.
  #origins = new WeakMap();

  #threads;
  #refusals;
  #instances;

  // The ledgers of the newest memories, the newest first.
  #newest = [];

  // Patches what writes to views, once an allocator's state can be written over.
  #watchWrites;

  // Patches the methods of views; undefined if there are none, or that is done.
  #watchMethods;

  // Shared memories that were made in this thread, by how the trace tells them: what a trace says of one, a reference
  // to it, and the ledger if there is one.
  #made = new Map();

  constructor({ contexts, instances, records, refusals, threads }) {
    this.#instances = instances;
    this.#records = records;
    this.#contexts = contexts;
    this.#threads = threads;
    this.#refusals = refusals;
  }

  /**
   * What the recorder keeps of a memory that a module of this map uses; undefined is a memory of the module's own, which
   * nobody has seen yet.
   */
  ledgerOf(memory, map) {
    if (memory === undefined) return this.#newLedger(map.initial_pages, map.max_pages, map.is_shared ? this.#threads.announced() : PRIVATE);
    let ledger = this.#ledgers.get(memory);
    if (ledger === undefined) {
      const sharing = isShared(memory) ? this.#threads.found(memory) : PRIVATE;
      ledger = this.#newLedger(pagesOf(memory), this.#maximums.get(memory) ?? map?.max_pages ?? null, sharing);
      this.#ledgers.set(memory, ledger);
      const made = this.#made.get(sharing);
      if (made !== undefined) made.ledger = ledger;
    }
    return ledger;
  }

  #newLedger(initialPages, maxPages, sharing) {
    this.#records.memory(initialPages, maxPages, PAGE_BYTES, sharing);
    const ledger = new Ledger(this.#count++, sharing);
    this.#newest = [ledger, ...this.#newest.slice(0, MOST_SEARCHED - 1)];
    return ledger;
  }

  /** The ledgers of the newest memories in which a block can be at this address. */
  ledgersWith(address) {
    return this.#newest.filter((ledger) => ledger.mayBeBlock(address));
  }

  /** The ledger of the newest memory that has objects of wasm-bindgen's classes. */
  ledgerWithObjects() {
    return this.#newest.find((ledger) => ledger.hasObjects);
  }

  /** A memory that had a ledger before it was seen. */
  born(memory, ledger) {
    if (this.#ledgers.has(memory)) return;
    this.#ledgers.set(memory, ledger);
    if (ledger.isShared) this.#threads.born(memory);
  }

  /** The shared memories that were made in this thread, also if only others use them: `{ ledger, memory }`; those that are collected have no memory. */
  tellShared() {
    for (const [sharing, made] of this.#made) made.ledger ??= this.#newLedger(made.initialPages, made.maxPages, sharing);
    return [...this.#made.values()].map(({ ledger, reference }) => ({ ledger, memory: reference.deref() }));
  }

  /** Tells that a thread without a recorder may have used any of the shared memories. */
  tellUnwatched() {
    this.#records.note(UNWATCHED);
    this.#newLedger(0, null, UNKNOWN);
  }

  #numberOf(memory) {
    return this.ledgerOf(memory).number;
  }

  /** Patches the ways to ask memories for their size and to grow them, in one realm. */
  watch({ ArrayBuffer, SharedArrayBuffer, WebAssembly }, patch) {
    const byteLength = (get, buffer) => this.#byteLength(get, buffer);
    patch.class(WebAssembly, "Memory", (target, values, newTarget) => this.#construct(target, values, newTarget));
    patch.getter(WebAssembly.Memory.prototype, "buffer", (get, memory) => this.#buffer(get, memory));
    patch.call(WebAssembly.Memory.prototype, "grow", (target, memory, values) => this.#grow(target, memory, values));
    patch.getter(ArrayBuffer.prototype, "byteLength", byteLength);
    if (SharedArrayBuffer) patch.getter(SharedArrayBuffer.prototype, "byteLength", byteLength);
  }

  /** Patches the functions that may be given a view, and the methods of views as soon as there are detached ones. */
  watchViews({ TextDecoder, TextEncoder, Uint8Array }, patch) {
    this.#watchView(TextDecoder.prototype, "decode", 0, patch);
    this.#watchView(TextEncoder.prototype, "encodeInto", 1, patch);
    const prototype = Object.getPrototypeOf(Uint8Array.prototype);
    this.#watchWrites = () => patch.after(prototype, "set", (view, source, offset) => this.#written(view, source, offset));
    this.#watchMethods = () => {
      for (const name of ["set", "subarray", "fill", "slice", "copyWithin"]) this.#watchMethod(prototype, name, patch);
    };
  }

  /** The memory of this ledger has an allocator that keeps its state in these words. */
  hasState(ledger, words) {
    if (words === undefined || ledger.isShared) return;
    ledger.state = { from: words[0], to: words.at(-1) + WORD_BYTES };
    this.#watchWrites?.();
    this.#watchWrites = undefined;
  }

  // Whoever writes over all of the state puts back a snapshot.
  #written(view, source, offset = 0) {
    if (!(source?.length >= LEAST_SNAPSHOT_BYTES)) return;
    const origin = this.#origins.get(bufferBehind(view));
    if (origin?.ledger.state === undefined) return;
    const { from, to } = origin.ledger.state;
    const size = view.BYTES_PER_ELEMENT;
    const start = view.byteOffset + offset * size;
    if (start <= from && to <= start + source.length * size) this.#records.overwritten(origin.memory, this.#contexts.ofHost());
  }

  /** A memory has grown: what the program has of its old buffer is detached. */
  detached(ledger) {
    if (!ledger.isViewed || this.#watchMethods === undefined) return;
    this.#watchMethods();
    this.#watchMethods = undefined;
  }

  // A detached view has no length left.
  #watchMethod(object, name, patch) {
    patch.call(object, name, (target, self, values) => {
      if (self?.length === 0) this.noteStale(self);
      if (values[0]?.length === 0) this.noteStale(values[0]);
      return Reflect.apply(target, self, values);
    });
  }

  #watchView(object, name, index, patch) {
    patch.call(object, name, (target, self, values) => {
      this.noteStale(values[index]);
      return Reflect.apply(target, self, values);
    });
  }

  // The descriptor's getters are the program's own: they are asked once, by the engine.
  #construct(target, values, newTarget) {
    const memory = this.#granted(() => Reflect.construct(target, values, newTarget));
    const maximum = Object.getOwnPropertyDescriptor(values[0], "maximum")?.value;
    if (typeof maximum === "number" || typeof maximum === "bigint") this.#maximums.set(memory, Number(maximum));
    if (isShared(memory)) this.#share(memory);
    return memory;
  }

  #granted(make) {
    try {
      const memory = this.#refusals.guard(make);
      this.#refusals.made(memory);
      return memory;
    } catch (error) {
      this.#refusals.memory(error);
      throw error;
    }
  }

  #share(memory) {
    const sharing = this.#threads.made(memory);
    if (sharing === undefined) return;
    const maxPages = this.#maximums.get(memory) ?? null;
    this.#made.set(sharing, { initialPages: pagesOf(memory), maxPages, reference: new WeakRef(memory), ledger: undefined });
  }

  #buffer(get, memory) {
    const buffer = Reflect.apply(get, memory, []);
    if (!this.#origins.has(buffer)) {
      const ledger = this.ledgerOf(memory);
      ledger.isViewed = true;
      this.#origins.set(buffer, { ledger, memory: ledger.number, pages: pagesIn(buffer) });
    }
    return buffer;
  }

  #byteLength(get, buffer) {
    const bytes = Reflect.apply(get, buffer, []);
    const origin = this.#origins.get(buffer);
    if (origin !== undefined && !this.#isQuiet) this.#lengthRead(origin, bytes);
    return bytes;
  }

  // A detached buffer has no length left.
  #lengthRead(origin, bytes) {
    if (bytes === 0 && origin.pages > 0) this.#stale(origin);
    else this.#records.sizeRead(origin.memory, SIZE_READ_BY.HOST_VIEW, bytes / PAGE_BYTES, this.#contexts.ofHost());
  }

  #stale({ memory, pages }) {
    this.#records.staleView(memory, pages, this.#contexts.ofHost());
  }

  #grow(target, memory, values) {
    try {
      const answer = Reflect.apply(target, memory, values);
      this.#grown(memory, Number(answer));
      return answer;
    } catch (error) {
      if (error?.name === "RangeError" && isMemory(memory)) this.#refused(memory, values[0]);
      throw error;
    }
  }

  #grown(memory, previous) {
    const delta = pagesOf(memory) - previous;
    const number = this.#numberOf(memory);
    if (delta === 0) this.#records.sizeRead(number, SIZE_READ_BY.GROW_ZERO, previous, this.#contexts.ofHost());
    else {
      this.#records.hostGrown(number, delta, previous, this.#contexts.ofHost());
      this.detached(this.ledgerOf(memory));
      this.#instances.weigh();
    }
  }

  #refused(memory, delta) {
    const pages = typeof delta === "bigint" ? Number(delta) : delta;
    if (Number.isSafeInteger(pages) && pages > 0) this.#records.hostGrown(this.#numberOf(memory), pages, null, this.#contexts.ofHost());
  }

  /** Records the use of a buffer, or of a view, if a growth has detached it. */
  noteStale(value) {
    if (typeof value !== "object" || value === null) return;
    const buffer = bufferBehind(value);
    const origin = this.#origins.get(buffer);
    if (origin !== undefined && origin.pages > 0 && isDetached(buffer)) this.#stale(origin);
  }

  /** Calls `run`, in which the host reads lengths that say nothing about the program. */
  quietly(run) {
    this.#isQuiet = true;
    try {
      return run();
    } finally {
      this.#isQuiet = false;
    }
  }
}
