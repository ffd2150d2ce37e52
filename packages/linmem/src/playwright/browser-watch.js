// Watches a browser of Playwright's during a test: its pages, frames and workers are recorded into files.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchedMap } from "../driver/fetched-maps.js";
import { Following } from "../driver/following.js";
import { PageRecordings, recordingOf } from "../driver/page-recordings.js";
import { SourceMaps } from "../driver/source-maps.js";
import { asking, sourceWith } from "../driver/source.js";
import { Targets } from "../driver/targets.js";
import { Replaced } from "./replaced.js";

// A page that is busy does not answer, in milliseconds.
const PATIENCE = 2000;

export class BrowserWatch {
  #targets;
  #recordings;
  #options;
  #source;
  #scratch = mkdtempSync(join(tmpdir(), "linmem-"));
  #count = 0;
  #contexts = new WeakSet();
  #replaced = new Replaced();
  #isOver;

  // What could not be watched, and why.
  #complaints = new Set();

  /** Watches everything that this browser opens from now on. */
  static async begin(browser, channel, options) {
    const watch = new BrowserWatch();
    await watch.#begin(browser, channel, options);
    return watch;
  }

  async #begin(browser, channel, options) {
    this.#options = options;
    const { source, short } = await sourceFor(options.hints);
    this.#source = source;
    this.#recordings = new PageRecordings(this.#directory(), (line) => this.#complaints.add(line), new SourceMaps(fetchedMap));
    this.#targets = new Targets(channel, this.#recordings, { source, short, complain: (line) => this.#complaints.add(line) });
    await this.#targets.begun;
    this.#replaced.after(browser, "newContext", (context) => this.meet(context));
  }

  #directory() {
    const path = join(this.#scratch, String(this.#count++));
    mkdirSync(path);
    return path;
  }

  /** Has the documents of a context recorded, which has none yet. */
  async meet(context) {
    if (this.#contexts.has(context)) return;
    this.#contexts.add(context);
    context.on("page", (page) => this.#meetPage(page));
    this.#replaced.after(context, "newPage", () => this.#targets.ready());
    this.#replaced.before(context, "close", () => Promise.all(context.pages().map(endIn)));
    await context.addInitScript({ content: this.#source });
  }

  // Nothing more is heard of a page that is closed.
  #meetPage(page) {
    this.#replaced.before(page, "close", () => endIn(page));
  }

  /** Whether there is nothing to report. */
  get isEmpty() {
    return this.#recordings.isEmpty && this.#complaints.size === 0;
  }

  /** What is recorded until now is all. */
  end() {
    return (this.#isOver ??= this.#end());
  }

  async #end() {
    this.#replaced.undo();
    await this.#targets.ready().catch(() => {});
    await this.#targets.end(this.#options);
    await this.#targets.leave();
    await this.#recordings.settled();
    this.#recordings.finish();
  }

  /** Removes what was recorded. */
  remove() {
    rmSync(this.#scratch, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The recordings so far: the path of a directory with a file for each document and worker. */
  async recorded() {
    if (this.#isOver === undefined) {
      await this.#targets.ready();
      await this.#targets.save();
    } else await this.#isOver;
    await this.#recordings.settled();
    const directory = this.#directory();
    this.#recordings.copyTo(directory);
    if (this.#complaints.size > 0) writeFileSync(join(directory, "unwatched.trace"), recordingOf([...this.#complaints]));
    return directory;
  }

  /** The report so far, see library.js. */
  async report() {
    return new Following(await this.recorded(), { hotSites: this.#options.top }).finish(false);
  }
}

const sources = new Map();

// Most tests have the same.
function sourceFor(hints) {
  const key = JSON.stringify(hints);
  if (!sources.has(key)) sources.set(key, sourceWith(hints));
  return sources.get(key);
}

async function endIn(page) {
  const ended = [...page.frames(), ...page.workers()].map((part) => part.evaluate(asking("end")));
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE)));
  await Promise.race([late, Promise.allSettled(ended)]);
  clearTimeout(timer);
}
