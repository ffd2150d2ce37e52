// Call stacks: what the engine says, in the terms of the original module, and numbered in the trace.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as trace from "./trace.js";

const OWN_FILES = new URL(".", import.meta.url).href;
const STARTED_IN = process.cwd();
const DEPTH = 100;

// A stack costs some 20 microseconds, far more than an event; contexts after so many have no frames.
const MAX_STACKS = 16384;
// The same for what the host does, each time: a program may ask for a size in a loop.
const MAX_HOST_STACKS = 4096;
// Those after so many are not told apart.
const MAX_CONTEXTS = 1 << 20;

const names = new Map();
const byText = new Map();
let count = 0;
let stacks = 0;
let hostStacks = 0;
let noFrames = -1;

/** The context of an event of `module`, whose own number for it is in two halves. */
export function contextOf(module, low, high) {
  const context = module.contexts.get(low, high);
  return context >= 0 ? context : newContext(module, low, high);
}

function newContext(module, low, high) {
  if (count >= MAX_CONTEXTS) return withoutFrames();
  const context = define(stacks++ < MAX_STACKS ? moduleFrames(module) : []);
  module.contexts.set(low, high, context);
  return context;
}

/** The context of what the host does now: its stack, without the recorder's own frames. */
export function hostContext() {
  if (hostStacks >= MAX_HOST_STACKS) return withoutFrames();
  hostStacks++;
  const frames = callSites().map(hostFrame).filter((text) => text !== undefined);
  const key = frames.join("\n");
  if (!byText.has(key)) byText.set(key, define(frames.map((host) => ({ host }))));
  return byText.get(key);
}

function withoutFrames() {
  if (noFrames < 0) noFrames = define([]);
  return noFrames;
}

function define(frames) {
  trace.context(frames);
  return count++;
}

/** Whether code of any module is running. */
export const isInModule = () => callSites().some((site) => isOfModule(site.getFileName()));

/** Whether Node itself, with a module that it brings along, made this call. */
export function isNodesOwn() {
  const caller = callSites().map((site) => site.getFileName()).find((file) => file && !file.startsWith(OWN_FILES));
  return caller !== undefined && caller.startsWith("node:internal/deps/");
}

const isOfModule = (file) => typeof file === "string" && file.startsWith("wasm://");

/** The frames of an event as texts, which are in no trace. */
export const stackTexts = (module) => moduleFrames(module).map(({ host, name, index }) => host ?? `${name ?? nameOf(module, index)} (${module.name})`);

// Where a module has no names, its exports may tell.
function nameOf({ exportedFunctions }, index) {
  for (const [name, exported] of exportedFunctions) if (exported === index) return name;
  return `function ${index}`;
}

// The innermost frame of a module is that which called the hook.
function moduleFrames(module) {
  const frames = [];
  for (const site of callSites()) {
    const file = site.getFileName();
    const isOfSome = isOfModule(file);
    if (isOfSome && module.url === undefined) know(module, file);
    if (isOfSome && file === module.url) addFrame(frames, module, site);
    else addHostFrame(frames, site);
  }
  return frames;
}

function addHostFrame(frames, site) {
  const host = hostFrame(site);
  if (host !== undefined) frames.push({ host });
}

function know(module, url) {
  module.url = url;
  names.set(url, module);
}

// How the wrapper of an allocator function is called: `malloc: dlmalloc`.
const WRAPPER = /^[a-z-]+: /;
const POSITION = /wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/;

// A wrapper's frame stands for its allocator function, unless that function's own frame is there.
function addFrame(frames, module, site) {
  const { frame, isWrapper } = frameAt(module, site);
  if (frame !== undefined && !(isWrapper && frames.at(-1)?.index === frame.index)) frames.push(frame);
}

// Most stacks share most of their frames, and the engine's words for one are dear.
function frameAt(module, site) {
  const position = site.getPosition();
  const known = module.frames.get(position);
  if (known !== undefined) return known;
  const [, index, digits] = POSITION.exec(String(site));
  const offset = parseInt(digits, 16);
  const frame = describe(module.map, module.map.functions[index], offset, site.getFunctionName());
  if (position === offset) module.frames.set(position, frame);
  return frame;
}

function describe({ offsets }, origin, offset, name) {
  if (origin === null || origin === undefined) return { isWrapper: false };
  if (Array.isArray(origin)) return { isWrapper: true, frame: { index: origin[0], name: name?.replace(WRAPPER, "") } };
  return { isWrapper: false, frame: { index: origin, offset: originalOffset(offsets, offset), name } };
}

// The last pair that begins before the offset.
function originalOffset(offsets, offset) {
  let [low, high] = [0, offsets.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[2 * middle] <= offset) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : offset - offsets[2 * low - 2] + offsets[2 * low - 1];
}

// Nothing for what belongs to Node, to the engine, or to the recorder.
function hostFrame(site) {
  const file = site.getFileName();
  if (isOfModule(file)) return foreignFrame(site, names.get(file), file);
  const shown = file ?? (site.isEval() ? "eval" : undefined);
  if (shown === undefined || shown.startsWith("node:") || shown.startsWith(OWN_FILES)) return undefined;
  const place = `${shortPath(shown)}:${site.getLineNumber()}`;
  const name = site.getFunctionName();
  if (!name) return place;
  return `${site.isAsync() ? "async " : ""}${site.isConstructor() ? "new " : ""}${name} (${place})`;
}

// A frame of a module whose event this is not.
function foreignFrame(site, module, file) {
  const [, index] = POSITION.exec(String(site)) ?? [];
  if (module?.map.functions[index] === null) return undefined;
  return `${site.getFunctionName() ?? "function"} (${module?.name ?? file})`;
}

const shortPaths = new Map();

function shortPath(file) {
  if (!shortPaths.has(file)) shortPaths.set(file, shorten(file));
  return shortPaths.get(file);
}

function shorten(file) {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const short = relative(STARTED_IN, path);
  return short === "" || short.startsWith("..") ? path : short;
}

// The program's own handler and limit are put back at once.
function callSites() {
  if (Object.isFrozen(Error)) return [];
  const handler = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = DEPTH;
    Error.prepareStackTrace = (_, sites) => sites;
    const { stack } = new Error();
    return Array.isArray(stack) ? stack : [];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (handler) Object.defineProperty(Error, "prepareStackTrace", handler);
    else delete Error.prepareStackTrace;
  }
}
