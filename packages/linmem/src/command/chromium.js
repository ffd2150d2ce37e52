// Finds Chromium and starts it, with a profile of its own.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { CommandError } from "./command-error.js";
import { DevTools } from "./devtools.js";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"];

// Where browsers are that are not in PATH.
const PLACES = {
  darwin: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
  ],
  win32: [process.env.ProgramFiles, process.env["ProgramFiles(x86)"], process.env.LOCALAPPDATA]
    .filter(Boolean)
    .flatMap((folder) => [join(folder, "Google/Chrome/Application/chrome.exe"), join(folder, "Microsoft/Edge/Application/msedge.exe")]),
};

const ARGUMENTS = [
  "--remote-debugging-pipe",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  // A page that is left is at its end, and is not kept for the way back.
  "--disable-features=BackForwardCache",
];

// How long Chromium may take to end, in milliseconds.
const PATIENCE = 5000;

/** The path of a browser: CHROME_PATH, or one of those that are usual. */
export function findChromium() {
  const { CHROME_PATH, PATH = "" } = process.env;
  if (CHROME_PATH) {
    if (!canRun(CHROME_PATH)) throw new CommandError(`CHROME_PATH: there is no program ${CHROME_PATH}`);
    return CHROME_PATH;
  }
  const paths = NAMES.flatMap((name) => PATH.split(delimiter).filter(Boolean).map((folder) => join(folder, name)));
  const found = [...paths, ...(PLACES[process.platform] ?? [])].find(canRun);
  if (found === undefined) throw new CommandError("there is no Chromium in PATH: name one in the variable CHROME_PATH");
  return found;
}

function canRun(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export class Chromium {
  #child;

  /** Starts it with one empty page. `profile` is an empty directory; `words` are further arguments. */
  constructor(path, { profile, headless, words }) {
    const args = [...ARGUMENTS, `--user-data-dir=${profile}`];
    if (headless) args.push("--headless");
    // Chromium does not run as root with its sandbox.
    if (process.getuid?.() === 0) args.push("--no-sandbox");
    // Ctrl-C in the terminal is for linmem, which has to ask for the last bytes first.
    const options = { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: process.platform !== "win32" };
    this.#child = spawn(path, [...args, ...words, "about:blank"], options);
    /** Settles when it has ended, or could not be started. */
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("exit", resolve);
      this.#child.on("error", (error) => reject(new CommandError(`cannot run ${path}: ${error.message}`)));
    });
    this.ended.catch(() => {});
    this.devtools = new DevTools(this.#child.stdio[3], this.#child.stdio[4]);
  }

  /** Ends it. */
  async close() {
    this.devtools.send("Browser.close");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE);
    await this.ended.catch(() => {});
    clearTimeout(timer);
  }
}
