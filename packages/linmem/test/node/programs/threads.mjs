// Threads that append records to their slots, in the ways that threads end. A record is its own length in a byte,
// the number, the thread, how many the thread wrote before, and a filling. Now and then comes a large one: zeros.

import { Worker, isMainThread, parentPort, threadId, workerData } from "node:worker_threads";
import { threads } from "../../../src/node/control-memory.js";
import { fileOf, ownFile } from "../../../src/node/trace-file.js";
import { claimSlot, Drainer, leaveSlots } from "../../../src/record/slots.js";

const { control, ancestors } = threads().port;

class Appender {
  #slot;
  #at = 0;
  #count = 0;

  constructor() {
    const { file, attempt } = ownFile();
    this.#slot = claimSlot(control, { id: threadId, ancestors, attempt }, file);
  }

  append() {
    if (this.#count % 5000 === 4999) this.#appendLarge();
    const { room } = this.#slot;
    const length = 17 + (this.#count % 200);
    if (this.#at + length > room.length) this.flush();
    const number = this.#slot.take();
    if (number < 0) return false;
    const view = new DataView(room.buffer, room.byteOffset + this.#at, length);
    view.setUint8(0, length);
    view.setFloat64(1, number);
    view.setUint32(9, threadId);
    view.setUint32(13, this.#count++);
    room.fill(length, this.#at + 17, this.#at + length);
    this.#at += length;
    this.#slot.publish(this.#at);
    return true;
  }

  // A record that is too large for the slot, here in three parts.
  #appendLarge() {
    this.flush();
    for (let part = 0; part < 3; part++) this.#slot.append(new Uint8Array(100_000));
  }

  flush() {
    this.#slot.flush();
    this.#at = 0;
  }

  release() {
    this.#slot.release();
  }
}

const start = (role) => new Worker(new URL(import.meta.url), { workerData: role });
const message = (worker) => new Promise((heard) => worker.once("message", heard));
const exit = (worker) => new Promise((heard) => worker.once("exit", heard));
const pause = (milliseconds) => new Promise((over) => setTimeout(over, milliseconds));

function appendMany(times) {
  const appender = new Appender();
  for (let time = 0; time < times; time++) appender.append();
  return appender;
}

const roles = {
  // Ends by itself.
  ends: () => appendMany(20_000).release(),

  // Waits for good, with records in its slot.
  waits() {
    appendMany(20_001);
    parentPort.postMessage("waits");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },

  // Never ends.
  runs() {
    const appender = new Appender();
    parentPort.postMessage("runs");
    while (true) appender.append();
  },

  // Runs until the recording has ended.
  stops() {
    const appender = new Appender();
    parentPort.postMessage("runs");
    while (appender.append());
  },

  // Starts another one, and is terminated with it.
  async starts() {
    await message(start("runs"));
    parentPort.postMessage("runs");
    await pause(1e6);
  },
};

const programs = {
  // Threads that end by themselves, four at a time.
  async many(drainer) {
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 4 }, () => exit(start("ends"))));
    drainer.end();
  },

  // Threads that are terminated in the middle, again and again, while the drainer works.
  async terminated(drainer) {
    for (let round = 0; round < 5; round++) {
      const workers = Array.from({ length: 3 }, () => start("runs"));
      await Promise.all(workers.map(message));
      await pause(5 + 3 * round);
      for (const worker of workers) {
        const { threadId: ended } = worker;
        await worker.terminate();
        leaveSlots(control, ended);
      }
      drainer.drain();
    }
    drainer.end();
  },

  // A thread that waits for good, and two that run, also one that another one had started.
  async exits(drainer) {
    const workers = ["waits", "runs", "starts", "stops"].map(start);
    await Promise.all(workers.map(message));
    await pause(100);
    const appender = appendMany(1000);
    process.on("exit", () => {
      appender.release();
      drainer.end();
    });
    process.exit();
  },

  // A parent and its child are gone.
  async nested(drainer) {
    const worker = start("starts");
    await message(worker);
    await pause(50);
    const { threadId: ended } = worker;
    await worker.terminate();
    leaveSlots(control, ended);
    drainer.drain();
    console.log([0, 1, 2].map((slot) => control.header(slot)[0]).join(" "));
    drainer.end();
  },
};

if (isMainThread) {
  const drainer = new Drainer(control, fileOf);
  setInterval(() => drainer.drain(), 3).unref();
  await programs[process.argv[2]](drainer);
} else {
  await roles[workerData]();
}
