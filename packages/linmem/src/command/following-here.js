// Reads recordings in this thread, a part at a time, while they are written.

import { ReadingFiles } from "../driver/reading-files.js";
import { CommandError } from "./command-error.js";
import { warmUp } from "./warm-up.js";

/** The recordings that are made in a directory. */
export class FollowingHere {
  #reading;
  #timer;
  #failed;

  /** `analysis` is as in library.js. */
  constructor(directory, analysis) {
    this.#try(() => (this.#reading = new ReadingFiles(directory, analysis)));
    // Unless the program has ended by then.
    this.#timer = setTimeout(() => {
      warmUp(analysis);
      this.#goOn();
    });
  }

  /** Nothing more happens by itself. */
  stop() {
    clearTimeout(this.#timer);
  }

  /** The report, when no more is recorded. */
  finish(color) {
    const report = this.#try(() => this.#reading.finish(color));
    if (this.#failed !== undefined) throw new CommandError(this.#failed.message, { cause: this.#failed });
    return report;
  }

  #goOn() {
    this.#try(() => this.#reading.takeIn());
    if (this.#failed === undefined) this.#timer = setTimeout(() => this.#goOn(), this.#reading.pause);
  }

  // What fails while the program runs is told when it has ended.
  #try(work) {
    if (this.#failed !== undefined) return undefined;
    try {
      return work();
    } catch (error) {
      this.#failed = error;
    }
  }
}
