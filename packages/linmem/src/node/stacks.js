// The stacks port for V8: call sites as the engine has them, and files by the paths that a user knows.

import { isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { NAME_IN_STACKS } from "./code-cache.js";
import { callSites, moduleFrame, placedFrame } from "../record/v8-sites.js";

// ES modules are known by their URLs, CommonJS modules by their paths.
const OWN_FOLDERS = [new URL(".", import.meta.url), new URL("../record/", import.meta.url)].flatMap((folder) => [folder.href, fileURLToPath(folder)]);
const OWN_FILES = [...OWN_FOLDERS, NAME_IN_STACKS];
const STARTED_IN = process.cwd();
const DEPTH = 100;
const LONGEST_WORDS = 300;

const isOwn = (text) => OWN_FILES.some((own) => text.includes(own));
const isOfModule = (file) => typeof file === "string" && file.startsWith("wasm://");

export const stacks = {
  take(depth = DEPTH) {
    const sites = callSites(depth);
    const frames = sites.map(frameOf).filter((frame) => frame !== undefined);
    frames.isCut = sites.length === depth;
    return frames;
  },

  isHostsOwn() {
    const caller = callSites(DEPTH).map((site) => site.getFileName()).find((file) => file && !isOwn(file));
    return caller !== undefined && caller.startsWith("node:internal/deps/");
  },

  // The first line of the stack, which is the name and the message.
  wordsOf(error) {
    if (!types.isNativeError(error) || typeof error.stack !== "string") return undefined;
    const [words] = error.stack.split("\n", 1);
    return error.stack.includes("wasm://") ? words.slice(0, LONGEST_WORDS) : undefined;
  },

  cleaned(error) {
    if (types.isNativeError(error) && typeof error.stack === "string" && isOwn(error.stack)) {
      error.stack = error.stack.split("\n").filter((line) => !isOwn(line)).join("\n");
    }
    return error;
  },
};

// What belongs to Node or to the recorder is not looked at further.
const isLeftOut = (file) => file.startsWith("node:") || isOwn(file);
const LEFT_OUT = Symbol("left out");

// The frames that are known, by file and position: of a module one, of the host a list, since functions that are made in one
// place can have names of their own, as embind's do. A frame costs far less than the engine's words for it.
const known = new Map();

function frameOf(site) {
  const file = site.getFileName();
  // An eval's code has no file, and its positions are those of many texts.
  if (typeof file !== "string") return site.isEval() ? hostFrame(site, "eval") : undefined;
  let frames = known.get(file);
  if (frames === undefined) known.set(file, (frames = isLeftOut(file) ? LEFT_OUT : new Map()));
  if (frames === LEFT_OUT) return undefined;
  const position = site.getPosition();
  const frame = frames.get(position);
  if (!isOfModule(file)) return named(frame ?? addTo(frames, position, []), site, file);
  return frame ?? addTo(frames, position, moduleFrame(site, file));
}

function named(functions, site, file) {
  const name = site.getFunctionName();
  const known = functions.find((one) => one.name === name);
  if (known !== undefined) return known.frame;
  const frame = hostFrame(site, file);
  functions.push({ name, frame });
  return frame;
}

function addTo(map, key, value) {
  map.set(key, value);
  return value;
}

const hostFrame = (site, file) => placedFrame(site, `${shortPath(file)}:${positionIn(site, file)}`);

// What stands further to the right than this is on a line that no one wrote, with much else on it.
const LONGEST_LINE = 500;
const LONGEST_LINE_OF_PACKAGE = 80;

function positionIn(site, file) {
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  const longest = file.includes("/node_modules/") ? LONGEST_LINE_OF_PACKAGE : LONGEST_LINE;
  return column > longest ? `${line}:${column}` : `${line}`;
}

const shortPaths = new Map();

function shortPath(file) {
  if (!shortPaths.has(file)) shortPaths.set(file, shorten(file));
  return shortPaths.get(file);
}

// A path below the directory that the program was started in is relative to it.
function shorten(file) {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const short = relative(STARTED_IN, path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}
