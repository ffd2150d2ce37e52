// Reads the recordings in a directory while they are written.

import { theLibrary } from "../node/packaged-library.js";
import { Files } from "./files.js";
import { recordingsIn } from "./recordings.js";

// How soon to look again after there was something new, and at the latest, in milliseconds.
const SOONEST = 2;
const LATEST = 32;

export class ReadingFiles {
  #directory;
  #files = new Files();
  #reading;

  /** How long to wait before there may be more, in milliseconds. */
  pause = SOONEST;

  /** `analysis` is as in library.js. */
  constructor(directory, analysis) {
    this.#directory = directory;
    this.#reading = theLibrary().reading(this.#files, analysis);
  }

  /** Takes in what there is by now, or a part of it. */
  takeIn() {
    recordingsIn(this.#directory).forEach((path) => this.#reading.add(path));
    this.pause = this.#reading.takeIn() ? SOONEST : Math.min(LATEST, 2 * this.pause);
  }

  /** The report, when no more is recorded. */
  finish(color) {
    this.takeIn();
    const report = this.#reading.finish({ color });
    this.#files.close();
    return report;
  }
}
