// A recorder with ports that do nothing by themselves, and a guest whose hooks a test calls: no engine runs
// any instrumented code.

import { Recorder } from "../../src/record/recorder.js";
import { Instance } from "../../src/record/instance.js";
import { HOOKS, MAP_VERSION } from "../../src/record/names.js";
import { readRecords } from "../node/read-trace.js";
import { bytesOfText } from "../support.js";

const FUNCTIONS = 32;
const names = Array.from({ length: FUNCTIONS }, (_, index) => index);
const GUEST = bytesOfText(`(module (memory (export "linmem.memory") 1) ${names.map((index) => `(func (export "f${index}"))`).join("")})`);

const mapOf = (low_memory, malloc) => ({
  version: MAP_VERSION,
  allocator: { functions: malloc === undefined ? [] : [{ function: malloc, role: "malloc" }], unseen: [], notes: [], candidates: [] },
  // No imports, the hooks, the functions, and one that stands for all entries.
  functions: [...HOOKS.map(() => null), ...names, ["entry", 0]],
  offsets: "AA",
  globals: [],
  tables: [],
  entries: names,
  sizes: {},
  low_memory,
  stack_pointer: null,
  initial_pages: 1,
  max_pages: null,
  is_shared: false,
  memory_import: null,
});

const URL = "wasm://guest";
const ENTRY = { url: URL, index: HOOKS.length + FUNCTIONS, offset: 0, name: undefined };

// The same place is the same object.
const known = new Map();

function knownAs(name, frame) {
  if (!known.has(name)) known.set(name, frame);
  return known.get(name);
}

const textOf = (text) => knownAs(text, { text });
const frameOf = ([index, offset]) => knownAs(`${index} ${offset}`, { url: URL, index: HOOKS.length + index, offset, name: undefined });

/** The recorder's view of one guest with a memory of one page. */
export class FakeHost {
  #chunks = [];
  #frames = [];
  #instance;

  complaints = [];

  /** How often the recorder took a stack. */
  stacksTaken = 0;

  /** Of how many frames. */
  framesTaken = 0;

  constructor({ lowMemory = 1024, malloc, sink = (bytes) => this.#chunks.push(Buffer.from(bytes)) } = {}) {
    this.recorder = new Recorder({
      sink,
      clock: { micros: () => 0, every: () => () => {} },
      stacks: { take: (depth) => this.#take(depth), isHostsOwn: () => false, wordsOf: () => undefined, cleaned: (error) => error },
      instrument: { key: () => "guest", make: (_, wasm) => ({ wasm, map: mapOf(lowMemory, malloc) }), find: () => undefined },
      complain: (message) => this.complaints.push(message),
    });
    const module = this.recorder.modules.ofBytes(GUEST);
    const engines = new WebAssembly.Instance(new WebAssembly.Module(module.wasm));
    this.memory = engines.exports["linmem.memory"];
    this.#instance = new Instance(this.recorder, module, undefined);
    this.#instance.complete(engines);
  }

  /**
   * Calls a hook. The stack is one frame of the guest, of this function at this offset, unless the host enters just
   * now; so many frames of other functions; the entry; and the frames of the host, which are texts, `[function, offset]` of the
   * guest, or "ENTRY" for another entry.
   */
  hook(name, values, { frame, below = 0, host = [] }) {
    const inner = frame === undefined ? [] : [frameOf(frame)];
    for (let number = 0; number < below; number++) inner.push(frameOf([number % FUNCTIONS, 1000 + number]));
    const callers = host.map((frame) => (frame === "ENTRY" ? ENTRY : typeof frame === "string" ? textOf(frame) : frameOf(frame)));
    return this.#run([...inner, ENTRY, ...callers], () => this.#instance.hooks[name](...values));
  }

  #take(depth = Infinity) {
    this.stacksTaken++;
    const frames = this.#frames.slice(0, depth);
    this.framesTaken += frames.length;
    return Object.assign(frames, { isCut: frames.length === depth });
  }

  look() {
    this.#instance.look();
  }

  snapshot(framesLive) {
    this.#run(framesLive ? [frameOf([0, 0])] : [], () => this.recorder.snapshot());
  }

  #run(frames, run) {
    this.#frames = frames;
    const result = run();
    this.#frames = [];
    return result;
  }

  /** All records so far. */
  records() {
    this.recorder.records.flush();
    return readRecords(Buffer.concat(this.#chunks));
  }
}
