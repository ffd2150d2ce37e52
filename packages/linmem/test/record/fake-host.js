// A recorder with ports that do nothing by themselves, and a guest whose hooks a test calls: no engine runs
// any instrumented code.

import { Recorder } from "../../src/record/recorder.js";
import { Instance } from "../../src/record/instance.js";
import { HOOKS } from "../../src/record/names.js";
import { readRecords } from "../node/read-trace.js";
import { bytesOfText } from "../support.js";

const FUNCTIONS = 32;
const names = Array.from({ length: FUNCTIONS }, (_, index) => index);
const GUEST = bytesOfText(`(module (memory (export "linmem.memory") 1) ${names.map((index) => `(func (export "f${index}"))`).join("")})`);

const mapOf = (low_memory) => ({
  version: 1,
  allocator: { functions: [], unseen: [], notes: [], candidates: [] },
  // No imports, the hooks, and the functions.
  functions: [...HOOKS.map(() => null), ...names],
  offsets: [0, 0],
  globals: [],
  tables: [],
  stand_ins: [],
  sizes: {},
  low_memory,
  initial_pages: 1,
  max_pages: null,
  memory_import: null,
});

/** The recorder's view of one guest with a memory of one page. */
export class FakeHost {
  #chunks = [];
  #frames = [];
  #instance;

  complaints = [];

  constructor({ lowMemory = 1024, sink = (bytes) => this.#chunks.push(Buffer.from(bytes)) } = {}) {
    this.recorder = new Recorder({
      sink,
      clock: { micros: () => 0, every: () => () => {} },
      stacks: { take: () => this.#frames, isHostsOwn: () => false, cleaned: (error) => error },
      instrument: { key: () => "guest", make: (_, wasm) => ({ wasm, map: mapOf(lowMemory) }), find: () => undefined },
      complain: (message) => this.complaints.push(message),
    });
    const module = this.recorder.modules.ofBytes(GUEST);
    const engines = new WebAssembly.Instance(new WebAssembly.Module(module.wasm));
    this.memory = engines.exports["linmem.memory"];
    this.#instance = new Instance(this.recorder, module, undefined);
    this.#instance.complete(engines);
  }

  /** Calls a hook, while the stack is one frame: of this function, at this offset. */
  hook(name, values, [index, offset] = [0, 0]) {
    this.#run(index, offset, () => this.#instance.hooks[name](...values));
  }

  look() {
    this.#instance.look();
  }

  snapshot(framesLive) {
    if (framesLive) this.#run(0, 0, () => this.recorder.snapshot());
    else this.recorder.snapshot();
  }

  #run(index, offset, run) {
    this.#frames = [{ url: "wasm://guest", position: undefined, where: () => ({ index: HOOKS.length + index, offset }), name: () => undefined }];
    run();
    this.#frames = [];
  }

  /** All records so far. */
  records() {
    this.recorder.records.flush();
    return readRecords(Buffer.concat(this.#chunks));
  }
}
