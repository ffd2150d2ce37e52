// Workers that are ended by the program: while they start, or when they have done something.
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { readFileSync } from "node:fs";
import { start } from "./guest.mjs";

const OPTIONS = {
  inherits: {},
  "env: process.env": { env: process.env },
  "execArgv: []": { execArgv: [] },
  "execArgv: [], env: process.env": { execArgv: [], env: process.env },
  "env: {}": { env: {} },
};

const WORKERS = 3;

const memory = () => {
  const shared = new WebAssembly.Memory({ initial: 4, maximum: 16, shared: true });
  new Int32Array(shared.buffer)[0] = 4096;
  return shared;
};
const threads = (role, options, given) =>
  Array.from({ length: WORKERS }, () => new Worker(new URL(import.meta.url), { workerData: { role, ...given }, ...options }));
const all = (workers, event) => Promise.all(workers.map((worker) => new Promise((heard) => worker.once(event, heard))));
const pooled = (bytes, shared) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: shared } }).exports;
const end = (workers) => Promise.all(workers.map((worker) => worker.terminate()));

const roles = {
  // As in a pool: it gets the module and the memory, and waits for work.
  waits({ bytes, shared }) {
    const { malloc, free } = pooled(bytes, shared);
    parentPort.on("message", () => free(malloc(8)));
  },

  async allocates() {
    const { malloc, free } = start("numbers");
    for (let time = 0; time < 5; time++) malloc(40); // the worker allocates
    free(malloc(8));
    parentPort.postMessage("allocated");
    parentPort.on("message", () => {});
  },

  // In a memory that the first thread does not know.
  async shares() {
    const { malloc } = start("pool", { env: { memory: memory() } });
    malloc(48);
    parentPort.postMessage("allocated");
    parentPort.on("message", () => {});
  },
};

// What becomes of a pool that is ended when the event comes, or at once.
async function pool(options, event) {
  const shared = memory();
  const bytes = readFileSync(`${process.env.GUESTS}/pool.wasm`);
  const { malloc, free } = pooled(bytes, shared);
  for (let time = 0; time < 10; time++) free(malloc(16));
  const workers = threads("waits", options, { bytes, shared });
  if (event !== undefined) await all(workers, event);
  await end(workers);
  for (let time = 0; time < 10; time++) free(malloc(16));
}

const ways = {
  "at once": (options) => pool(options),
  "when online": (options) => pool(options, "online"),

  async allocated(options) {
    const workers = threads("allocates", options);
    await all(workers, "message");
    await end(workers);
  },

  async shared(options) {
    const workers = threads("shares", options);
    await all(workers, "message");
    await end(workers);
  },

  async killed(options) {
    await all(threads("allocates", options), "message");
    // The threads have 200 ms to write, as all threads have.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 400);
  },
};

if (isMainThread) await ways[process.argv[2]](OPTIONS[process.argv[3]]);
else await roles[workerData.role](workerData);
