// Reads recordings in a worker thread while they are written. This file is both sides.

import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { CommandError } from "../command/command-error.js";
import { ReadingFiles } from "./reading-files.js";

// What the other side asks for.
const GO_ON = 0;
const FINISH = 1;

/** The recordings that are made in a directory. */
export class Following {
  #asked = new Int32Array(new SharedArrayBuffer(8));
  #report;

  /** `analysis` is as in library.js. */
  constructor(directory, analysis) {
    const worker = new Worker(new URL("../../src/driver/following.js", import.meta.url), { workerData: { directory, analysis, asked: this.#asked }, execArgv: [], env: {} });
    this.#report = new Promise((resolve, reject) => {
      worker.on("message", ({ report, failed }) => (failed === undefined ? resolve(report) : reject(new CommandError(failed))));
      worker.on("error", reject);
    });
    this.#report.catch(() => {});
  }

  /** The report, when no more is recorded. */
  finish(color) {
    Atomics.store(this.#asked, 1, Number(color));
    Atomics.store(this.#asked, 0, FINISH);
    Atomics.notify(this.#asked, 0);
    return this.#report;
  }
}

function follow({ directory, analysis, asked }) {
  const reading = new ReadingFiles(directory, analysis);
  while (Atomics.load(asked, 0) !== FINISH) {
    reading.takeIn();
    Atomics.wait(asked, 0, GO_ON, reading.pause);
  }
  return reading.finish(Atomics.load(asked, 1) === 1);
}

if (!isMainThread && workerData?.asked !== undefined) {
  try {
    parentPort.postMessage({ report: follow(workerData) });
  } catch (error) {
    parentPort.postMessage({ failed: error.message });
  }
}
