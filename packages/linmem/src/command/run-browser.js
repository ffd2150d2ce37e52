// `linmem browser`: open a page in Chromium with every WebAssembly instance in it under observation, in its frames and
// workers too. A worker thread reads what is recorded meanwhile.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchedMap } from "../driver/fetched-maps.js";
import { Following } from "../driver/following.js";
import { PageRecordings } from "../driver/page-recordings.js";
import { escaped } from "../driver/lines.js";
import { directoryForTraces } from "../driver/recordings.js";
import { exitCodeOf, textOf } from "../driver/report-text.js";
import { SourceMaps } from "../driver/source-maps.js";
import { sourceWith } from "../driver/source.js";
import { Targets } from "../driver/targets.js";
import { ALLOCATOR, ALLOCATOR_HELP, OUTPUT, OUTPUT_HELP, allocatorHints, read } from "./arguments.js";
import { Chromium, findChromium } from "./chromium.js";
import { CommandError } from "./command-error.js";
import { Output, print } from "./output.js";

const HELP = `Open a page in Chromium and report what the memories of its WebAssembly instances did

Usage: linmem browser [OPTIONS] <URL> [-- <ARGUMENT>...]

  <URL>          What to open; other pages that it opens are watched too, and all frames and workers
  <ARGUMENT>...  Further arguments for Chromium

Browser:
      --headless            Show no window
      --timeout <SECONDS>   Close the browser after so long; else the report comes when its last page is closed, or at Ctrl-C
      --collect             Collect garbage and let finalizers run at the end, so that they are judged too
      --traces <DIRECTORY>  Keep the recordings in this directory, one for each document and worker

${OUTPUT_HELP}
${ALLOCATOR_HELP}
Chromium is the first one of chromium, google-chrome and others in PATH, or what the variable CHROME_PATH names.

Exit code: 1 when an error was found, and 2 when linmem could not do its job.
`;

const OPTIONS = { headless: { type: "boolean" }, timeout: { type: "string" }, collect: { type: "boolean" }, traces: { type: "string" }, ...OUTPUT, ...ALLOCATOR };

// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED = 130;

export async function run(words) {
  const parsed = read(words, OPTIONS, HELP, { most: Infinity });
  if (parsed === undefined) return 0;
  const { values, positionals } = parsed;
  const [url, ...further] = positionals;
  const output = new Output(values);
  const options = { ...values, url: openable(url), seconds: secondsIn(values.timeout), words: further };
  const scratch = mkdtempSync(join(tmpdir(), "linmem-"));
  try {
    const traces = directoryForTraces(values.traces, scratch);
    const following = new Following(traces, { hotSites: output.hotSites });
    await watched(findChromium(), join(scratch, "profile"), traces, options);
    const report = await following.finish(output.color);
    output.write({ ...report, text: textOf(report, "page") });
    return exitCodeOf(report);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

function openable(url) {
  const full = /^(localhost|[\d.]+)(:\d+)?(\/|$)/.test(url) ? `http://${url}` : url;
  if (!URL.canParse(full)) throw new CommandError(`${url} is not a URL`);
  return full;
}

function secondsIn(text) {
  if (text === undefined) return Infinity;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new CommandError(`--timeout: ${text} is not a number of seconds`);
  return Number(text);
}

/** Opens the page, and writes recordings until it is closed. */
async function watched(path, profile, traces, { url, seconds, headless = false, collect = false, words, ...values }) {
  mkdirSync(profile);
  const recordings = new PageRecordings(traces, complain, new SourceMaps(fetchedMap));
  const chromium = new Chromium(path, { profile, headless, words });
  const stop = stopping(seconds);
  try {
    const { source } = await sourceWith(allocatorHints(values));
    const targets = new Targets(chromium.devtools, recordings, { source, complain });
    const opened = targets.open(url).catch(({ message }) => message).then((failed) => {
      if (failed !== undefined) throw new CommandError(`cannot open ${url}: ${failed}`);
      return new Promise(() => {});
    });
    await Promise.race([opened, targets.closed, chromium.ended, stop.asked]);
    await targets.end({ collect });
  } finally {
    stop.listenNoMore();
    await chromium.close();
    await recordings.settled();
    recordings.finish();
  }
}

const complain = (line) => print(2, `linmem: ${escaped(line)}\n`);

/** Waits for Ctrl-C, or until so many seconds are over. */
function stopping(seconds) {
  let interrupt, timer;
  const asked = new Promise((resolve) => {
    let isAgain = false;
    interrupt = () => {
      if (isAgain) process.exit(INTERRUPTED);
      isAgain = true;
      resolve();
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    if (seconds !== Infinity) timer = setTimeout(resolve, 1000 * seconds);
  });
  const listenNoMore = () => {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    clearTimeout(timer);
  };
  return { asked, listenNoMore };
}
