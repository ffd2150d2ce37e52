// One life of a page, from when it is loaded until it is left: what its frames and workers record meanwhile, and the report
// on it.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Following } from "../driver/following.js";
import { escaped } from "../driver/lines.js";
import { PageRecordings } from "../driver/page-recordings.js";
import { SourceMaps } from "../driver/source-maps.js";

// In milliseconds.
const MOMENT = 1000;

export class PageLife {
  #logger;
  #hotSites;
  #mapOf;

  // From the first part of a trace on: most pages have no WebAssembly.
  #directory;
  #recordings;
  #following;

  // Parts that are being received.
  #arriving = 0;
  #leftAt = -Infinity;

  /** `name` is told to the user; `mapOf` is as SourceMaps have it. */
  constructor(name, { logger, hotSites, mapOf }) {
    this.name = name;
    this.#logger = logger;
    this.#hotSites = hotSites;
    this.#mapOf = mapOf;
  }

  /** Takes a message of a scope, `{ number, name }`; returns whether it is one that a recorder sends. */
  take(scope, message) {
    this.#begin();
    return this.#recordings.take(scope, 0, message);
  }

  #begin() {
    if (this.#recordings !== undefined) return;
    this.#directory = mkdtempSync(join(tmpdir(), "linmem-"));
    const traces = join(this.#directory, "traces");
    mkdirSync(traces);
    this.#recordings = new PageRecordings(traces, (line) => this.tell(line), new SourceMaps(this.#mapOf));
  }

  /** A trace has begun: it is read while it is written. */
  follow() {
    this.#following ??= new Following(join(this.#directory, "traces"), { hotSites: this.#hotSites });
  }

  /** A part is being received; returns what to call when it is. */
  arriving() {
    this.#arriving++;
    return () => void this.#arriving--;
  }

  get isRecorded() {
    return this.#following !== undefined;
  }

  /** The page may be left now. */
  leave() {
    this.#leftAt = Date.now();
  }

  /** Whether it was so a moment ago, or may be so with what is being received. */
  get isLeaving() {
    return this.#arriving > 0 || Date.now() - this.#leftAt < MOMENT;
  }

  /** Whether a snapshot was the last thing that each of its recordings had, if it had anything. */
  get isSettled() {
    return this.#arriving === 0 && (this.#recordings?.unfinished ?? []).every(({ isLeft, bytes }) => isLeft || bytes === 0);
  }

  /** No more comes: tells the user what it was. */
  async report() {
    if (this.#directory === undefined) return;
    try {
      await this.#recordings.settled();
      this.#recordings.finish();
      if (this.isRecorded) this.#tellReport(await this.#following.finish(hasColors()));
    } catch (error) {
      this.tell(`no report on ${this.name}: ${error.message}`);
    } finally {
      rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  #tellReport({ text, json, nothingWatched, notes }) {
    const { report } = JSON.parse(json);
    if (report.findings.some(({ severity }) => severity !== "note")) {
      this.#logger.warn(`linmem: ${escaped(this.name)}\n${text.trimEnd()}\n`);
      return;
    }
    // Its first line also says what was not judged.
    if (nothingWatched === null) this.#logger.info(`linmem: ${escaped(this.name)}: ${text.split("\n", 1)[0].replace(/^linmem: /, "")}`, { timestamp: true });
    // What was not seen.
    notes.forEach((note) => this.tell(note));
  }

  /** Tells the user one line. */
  tell(line) {
    this.#logger.warn(`linmem: ${escaped(line)}`);
  }
}

const hasColors = () => process.stderr.isTTY === true && process.stderr.hasColors();
