// Reads recordings in a worker thread while they are written. This file is both sides.

import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { theLibrary } from "../node/packaged-library.js";
import { CommandError } from "../command/command-error.js";
import { Files, recordingsIn } from "./recordings.js";

// How soon to look again after there was something new, and at the latest, in milliseconds.
const SOONEST = 2;
const LATEST = 32;

// What the other side asks for.
const GO_ON = 0;
const FINISH = 1;

/** The recordings that are made in a directory. */
export class Following {
  #asked = new Int32Array(new SharedArrayBuffer(8));
  #report;

  constructor(directory, hotSites) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { directory, hotSites, asked: this.#asked }, execArgv: [], env: {} });
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

function follow({ directory, hotSites, asked }) {
  const files = new Files();
  const reading = theLibrary().reading(files, hotSites);
  const takeIn = () => {
    recordingsIn(directory).forEach((path) => reading.add(path));
    return reading.takeIn();
  };
  for (let pause = SOONEST; Atomics.load(asked, 0) !== FINISH; ) {
    pause = takeIn() ? SOONEST : Math.min(LATEST, 2 * pause);
    Atomics.wait(asked, 0, GO_ON, pause);
  }
  takeIn();
  const report = reading.finish({ color: Atomics.load(asked, 1) === 1 });
  files.close();
  return report;
}

if (!isMainThread && workerData?.asked !== undefined) {
  try {
    parentPort.postMessage({ report: follow(workerData) });
  } catch (error) {
    parentPort.postMessage({ failed: error.message });
  }
}
