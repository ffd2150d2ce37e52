// Threads that get shared memories in several ways, and tell which ones they are.

import assert from "node:assert/strict";
import { Worker, isMainThread, parentPort, threadId, workerData } from "node:worker_threads";
import { threads } from "../../../src/node/control-memory.js";
import { SharedMemories } from "../../../src/record/shared-memories.js";

const memories = new SharedMemories(threads().port.control, threadId);

const newMemory = (initial = 1) => new WebAssembly.Memory({ initial, maximum: 2, shared: true });
const bytesOf = (memory) => Buffer.from(new Uint8Array(memory.buffer).slice());

function make(count) {
  return Array.from({ length: count }, () => {
    const memory = newMemory();
    return { memory, number: memories.made(memory) };
  });
}

const start = (role, given) => new Worker(new URL(import.meta.url), { workerData: { role, ...given } });
const message = (worker) => new Promise((heard) => worker.once("message", heard));
const exit = (worker) => new Promise((heard) => worker.once("exit", heard));

const findAll = (given) => given.map((memory) => memories.find(memory));

const roles = {
  finds: ({ given }) => parentPort.postMessage(findAll(given)),

  // Also in a thread that it starts; the answers come from both.
  async findsTwice({ given }) {
    const before = findAll(given);
    parentPort.postMessage([...before, ...(await message(start("finds", { given })))]);
  },

  // The main thread is blocked, so the answers go through a buffer.
  writes({ given, answers }) {
    const [number] = findAll(given);
    const at = Atomics.add(answers, 0, 1);
    answers[at + 1] = number ?? -1;
    Atomics.notify(answers, 0);
  },

  // Makes a memory and waits for good.
  makes() {
    const [{ memory, number }] = make(1);
    parentPort.postMessage({ memory, number });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },

  // Makes a memory and ends.
  leaves() {
    const [{ memory }] = make(1);
    parentPort.postMessage(memory);
  },
};

const programs = {
  async "at-once"() {
    const made = make(3);
    const given = made.map(({ memory }) => memory).reverse();
    const before = given.map(bytesOf);
    const answers = await Promise.all(Array.from({ length: 8 }, () => message(start("finds", { given }))));
    assert.deepEqual(answers, Array(8).fill([2, 1, 0]));
    assert.deepEqual(given.map(bytesOf), before);
  },

  async nested() {
    const given = make(2).map(({ memory }) => memory);
    const answers = await Promise.all(Array.from({ length: 4 }, () => message(start("findsTwice", { given }))));
    assert.deepEqual(answers, Array(4).fill([0, 1, 0, 1]));
  },

  // Twenty threads find a memory while the one that made it is blocked.
  blocked() {
    make(1);
    const [{ memory, number }] = make(1);
    const answers = new Int32Array(new SharedArrayBuffer(4 * 21));
    for (let round = 1; round <= 5; round++) {
      for (let time = 0; time < 4; time++) start("writes", { given: [memory], answers });
      for (let count; (count = Atomics.load(answers, 0)) < 4 * round; ) Atomics.wait(answers, 0, count);
    }
    assert.deepEqual([...answers.subarray(1)], Array(20).fill(number));
  },

  // A worker makes it, and is blocked.
  async back() {
    make(1);
    const worker = start("makes");
    const { memory, number } = await message(worker);
    assert.equal(memories.find(memory), number);
    assert.deepEqual(await message(start("finds", { given: [memory] })), [number]);
    await worker.terminate();
    // The two that found it know it still.
    assert.equal(memories.find(structuredClone(memory)), number);
  },

  // In the same thread, grown, and after many clones.
  async clones() {
    make(1);
    const [{ memory, number }] = make(1);
    for (let time = 0; time < 100; time++) assert.equal(memories.find(structuredClone(memory)), number);
    memory.grow(1);
    assert.equal(memories.find(structuredClone(memory)), number);
    assert.deepEqual(await message(start("finds", { given: [memory] })), [number]);
  },

  // A waiter of the program behind those of the maker is not woken.
  async futex() {
    const [{ memory, number }] = make(1);
    const words = new Int32Array(memory.buffer);
    let woken = 0;
    for (let word = 0; word < 256; word++) Atomics.waitAsync(words, word, 0).value.then(() => woken++);
    for (let time = 0; time < 30; time++) assert.equal(memories.find(structuredClone(memory)), number);
    await new Promise(setImmediate);
    assert.equal(woken, 0);
    assert.equal(Atomics.notify(words, 255) > 64, true);
  },

  // What is not known, what has no room, and what its only thread has left.
  async strangers() {
    make(2);
    assert.equal(memories.find(newMemory()), undefined);
    assert.equal(memories.made(newMemory(0)), undefined);
    const worker = start("leaves");
    const [memory] = await Promise.all([message(worker), exit(worker)]);
    assert.equal(memories.find(memory), undefined);
  },

  // In an engine that has no `Atomics.waitAsync`.
  without: () => assert.equal(memories.made(newMemory()), undefined),

  // A memory is collected although somebody waits, and its number is not given again.
  async collected() {
    const reference = new WeakRef(make(1)[0].memory);
    for (let time = 0; time < 20 && reference.deref() !== undefined; time++) {
      await new Promise((over) => setTimeout(over, 10));
      globalThis.gc();
    }
    assert.equal(reference.deref(), undefined);
    assert.equal(make(1)[0].number, 1);
  },

  limit() {
    const made = make(241);
    assert.equal(made[239].number, 239);
    assert.equal(made[240].number, undefined);
    assert.equal(memories.find(structuredClone(made[239].memory)), 239);
  },
};

if (isMainThread) {
  await programs[process.argv[2]]();
  console.log("as expected");
} else {
  await roles[workerData.role](workerData);
}
