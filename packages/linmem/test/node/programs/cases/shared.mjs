// Threads share a memory, and with it a heap.
import { readFileSync } from "node:fs";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { start } from "./guest.mjs";

const WORKERS = 3;
const BLOCKS = 200;

const memories = [];

const newMemory = () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 16, shared: true });
  new Int32Array(memory.buffer)[0] = 4096;
  memories.push(memory);
  return memory;
};
const using = (memory, name = "pool") => start(name, { env: { memory } });
const thread = (role, given) => new Worker(new URL(import.meta.url), { workerData: { role, ...given } });
const message = (worker) => new Promise((heard) => worker.once("message", heard));
const exit = (worker) => new Promise((heard) => worker.once("exit", heard));
const pause = (milliseconds) => new Promise((over) => setTimeout(over, milliseconds));

const roles = {
  allocates({ memory, count = 1 }) {
    const { malloc } = using(memory);
    parentPort.postMessage(Array.from({ length: count }, () => malloc(48))); // the worker allocates
  },

  frees({ memory, pointers }) {
    const { free } = using(memory);
    pointers.forEach((pointer) => free(pointer)); // the worker frees
  },

  loses({ memory }) {
    const { lose } = using(memory);
    for (let time = 0; time < 3; time++) lose(); // the worker loses
  },

  // Allocates, and frees what the thread before it in the ring has allocated, in rounds.
  exchanges({ memory, ring, index }) {
    const { malloc, free } = using(memory);
    const before = (index + WORKERS - 1) % WORKERS;
    for (let round = 1; round <= 3; round++) {
      for (let block = 0; block < BLOCKS; block++) ring[1 + index * BLOCKS + block] = malloc(16 + block);
      meet(ring, 2 * round - 1);
      for (let block = 0; block < BLOCKS; block++) free(ring[1 + before * BLOCKS + block]);
      meet(ring, 2 * round);
    }
  },

  runs({ memory }) {
    const { malloc, free } = using(memory, "shared");
    for (let time = 0; ; time++) {
      free(malloc(8));
      if (time === 1000) parentPort.postMessage("runs");
    }
  },

  async "gets the memory first"({ memory }) {
    const bytes = memory.buffer.byteLength;
    parentPort.postMessage(bytes);
    const pointer = await message(parentPort);
    using(memory).free(pointer);
  },

  async nests({ memory, depth }) {
    const { malloc, free } = using(memory);
    const pointer = malloc(8 + depth);
    if (depth > 0) {
      const worker = thread("nests", { memory, depth: depth - 1 });
      free(await message(worker));
      await exit(worker);
    }
    parentPort.postMessage(pointer);
  },

  "frees in two"({ memories, pointers }) {
    memories.forEach((memory, index) => using(memory).free(pointers[index]));
  },
};

// All threads of the ring wait for each other.
function meet(ring, meeting) {
  const all = meeting * WORKERS;
  if (Atomics.add(ring, 0, 1) + 1 === all) Atomics.notify(ring, 0);
  for (let count; (count = Atomics.load(ring, 0)) < all; ) Atomics.wait(ring, 0, count);
}

async function freedByText(options) {
  const memory = newMemory();
  const { free, malloc } = using(memory);
  const pointer = malloc(48);
  const text = `const { bytes, memory, pointer } = require("node:worker_threads").workerData;
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.free(pointer);`;
  const bytes = readFileSync(`${process.env.GUESTS}/pool.wasm`);
  await exit(new Worker(text, { ...options, eval: true, workerData: { bytes, memory, pointer } }));
  free(malloc(48));
  free(malloc(48));
}

const ways = {
  async first() {
    const memory = newMemory();
    const { malloc, free } = using(memory);
    free(malloc(8));
    for (const pointer of await message(thread("allocates", { memory }))) free(pointer);
  },

  // The first thread has no instance.
  async "each other"() {
    const memory = newMemory();
    const ring = new Int32Array(new SharedArrayBuffer(4 * (1 + WORKERS * BLOCKS)));
    await Promise.all(Array.from({ length: WORKERS }, (_, index) => exit(thread("exchanges", { memory, ring, index }))));
  },

  async terminated() {
    const memory = newMemory();
    const { malloc, free } = using(memory, "shared");
    const workers = [thread("runs", { memory }), thread("runs", { memory })];
    await Promise.all(workers.map(message));
    await pause(10);
    for (const worker of workers) await worker.terminate();
    for (let time = 0; time < 100; time++) free(malloc(16));
  },

  async exits() {
    const memory = newMemory();
    const { malloc, free } = using(memory, "shared");
    await Promise.all([thread("runs", { memory }), thread("runs", { memory })].map(message));
    for (let time = 0; time < 100; time++) free(malloc(16));
    process.exit(0);
  },

  // The worker has the memory long before it makes an instance.
  async early() {
    const memory = newMemory();
    const worker = thread("gets the memory first", { memory });
    await message(worker);
    const { malloc, free } = using(memory);
    for (let time = 0; time < 100; time++) free(malloc(16));
    worker.postMessage(malloc(48));
    await exit(worker);
    free(malloc(48));
  },

  async nested() {
    const memory = newMemory();
    const { free } = using(memory);
    free(await message(thread("nests", { memory, depth: 2 })));
  },

  async two() {
    const memories = [newMemory(), newMemory()];
    const guests = memories.map((memory) => using(memory));
    const pointers = guests.map(({ malloc }) => malloc(40));
    console.log(pointers[0] === pointers[1]);
    await exit(thread("frees in two", { memories: memories.toReversed(), pointers }));
    for (const { malloc, free } of guests) free(malloc(50));
    guests[1].lose(); // loses in the second
  },

  async exported() {
    const { malloc, free, memory } = start("owner");
    new Int32Array(memory.buffer)[0] = 4096;
    const pointers = Array.from({ length: 5 }, () => malloc(24));
    await exit(thread("frees", { memory, pointers }));
    for (const pointer of await message(thread("allocates", { memory, count: 4 }))) free(pointer);
  },

  // The thread that made the memory has no instance, and the one that loses blocks has ended.
  async "leaks elsewhere"() {
    await exit(thread("loses", { memory: newMemory() }));
  },

  async leaks() {
    const memory = newMemory();
    const { malloc, free } = using(memory);
    await exit(thread("loses", { memory }));
    free(malloc(8));
  },

  async "double free"() {
    const memory = newMemory();
    const { free, malloc } = using(memory);
    const pointer = malloc(48); // allocates here
    await exit(thread("frees", { memory, pointers: [pointer] }));
    free(pointer); // frees again
  },

  // A worker that is made from a text.
  text: () => freedByText({}),

  // Nothing is preloaded in a worker without NODE_OPTIONS: what it frees goes unseen.
  unwatched: () => freedByText({ env: {} }),

  // The program uses the words by which threads tell memories apart, so the worker's memory may be any.
  async ambiguous() {
    const memory = newMemory();
    new Int32Array(memory.buffer).fill(7, 3, 1024);
    const { free, malloc } = using(memory);
    const pointer = malloc(48);
    await exit(thread("frees", { memory, pointers: [pointer] }));
    free(malloc(48));
    free(malloc(48));
  },
};

if (isMainThread) await ways[process.argv[2]]();
else await roles[workerData.role](workerData);
