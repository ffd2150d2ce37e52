// Bytes of a module in, the instrumented module and its map out: the linmem program makes them, once
// for each content, and a directory keeps them for the next run, for worker threads and for children.
// Where that fails, the program gets its module as it is, and the trace a note.

import * as childProcess from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { types } from "node:util";
import { threadId } from "node:worker_threads";
import { customSections, validate } from "./engine.js";
import { withCustomSection } from "./sections.js";
import { complain, note } from "./trace.js";
import { WatchedModule } from "./watched-module.js";

// A program may replace them.
const { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = fs;
const { spawnSync } = childProcess;

// Names the original in the instrumented module, which so is known in whatever thread it comes to.
const ORIGIN_SECTION = "linmem.origin";

const MAP_VERSION = 1;

// By hash of the content; null where it cannot be instrumented.
const byHash = new Map();
const byModule = new WeakMap();

const program = findProgram(process.env.LINMEM_PROGRAM);
// Which functions allocate, where a module does not say: `["--malloc", "xa"]`.
const options = JSON.parse(process.env.LINMEM_INSTRUMENT_OPTIONS || "[]");
let directory;

function findProgram(given) {
  const places = given ? [given] : (process.env.PATH ?? "").split(delimiter).map((place) => join(place, "linmem"));
  return places.find(isProgram);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The module that these bytes are, a buffer or a view; undefined when it is not watched. */
export function watchedBytes(source) {
  const original = copyOf(source);
  return original && watchedContent(original);
}

// The program may change its bytes while they are compiled. Not every engine takes every kind of
// buffer: those that are rare are shown to it first.
function copyOf(source) {
  try {
    if (!types.isArrayBuffer(source) && !types.isUint8Array(source)) validate(source);
    if (ArrayBuffer.isView(source)) return Buffer.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
    return Buffer.from(new Uint8Array(source));
  } catch {
    return undefined; // The engine knows what to say.
  }
}

function watchedContent(original) {
  const hash = sha256(original);
  if (!byHash.has(hash)) byHash.set(hash, instrumented(hash, original));
  return byHash.get(hash) ?? undefined;
}

const sha256 = (contents) => createHash("sha256").update(contents).digest("hex");

/**
 * The watched module that was compiled to `module`, in this thread or another; undefined for one that is
 * not instrumented, null for one that is, but of which nothing is known any more.
 */
export function watchedModule(module) {
  if (!byModule.has(module)) byModule.set(module, findOrigin(module));
  return byModule.get(module);
}

function findOrigin(module) {
  const [section] = customSections(module, ORIGIN_SECTION);
  if (section === undefined) return undefined;
  const hash = Buffer.from(section).toString();
  if (!byHash.has(hash)) byHash.set(hash, cachedIfReadable(hash));
  return byHash.get(hash);
}

function cachedIfReadable(hash) {
  try {
    return cached(hash);
  } catch {
    return null;
  }
}

function instrumented(hash, original) {
  try {
    if (!program) throw new Error(`there is no program ${process.env.LINMEM_PROGRAM || "`linmem` in PATH"}`);
    return cached(hash) ?? instrument(hash, original);
  } catch (error) {
    if (validate(original)) unwatched(hash, error.message);
    return null;
  }
}

function unwatched(hash, reason) {
  note(`module wasm-${hash.slice(0, 8)}.wasm is not watched: ${reason}`);
  if (!program) complain(`${reason}: nothing is watched`);
}

function cached(hash) {
  directory ??= cacheDirectory();
  const path = (kind) => join(directory, `${hash}.${kind}`);
  if (!existsSync(path("json"))) return null;
  return watch(hash, readFileSync(path("original")), readFileSync(path("wasm")), readFileSync(path("json"), "utf8"));
}

// Another build of linmem may instrument in another way, and so does one that is told more.
function cacheDirectory() {
  const key = sha256(JSON.stringify([program, statSync(program).mtimeMs, options])).slice(0, 16);
  const path = join(cacheRoot(), key);
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    return path;
  } catch {
    return mkdtempSync(join(tmpdir(), "linmem-"));
  }
}

function cacheRoot() {
  const { LINMEM_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  return LINMEM_CACHE_DIR || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "linmem", "node");
}

// Others may do the same at the same time: each works on its own files. The map comes last.
function instrument(hash, original) {
  const own = (kind) => join(directory, `${hash}.${process.pid}-${threadId}.${kind}`);
  try {
    writeFileSync(own("original"), original);
    run(["instrument", ...options, own("original"), "--output", own("wasm"), "--map", own("json")], own("original"));
    const module = watch(hash, original, readFileSync(own("wasm")), readFileSync(own("json"), "utf8"));
    for (const kind of ["original", "wasm", "json"]) renameSync(own(kind), join(directory, `${hash}.${kind}`));
    return module;
  } finally {
    for (const kind of ["original", "wasm", "json"]) rmSync(own(kind), { force: true });
  }
}

function run(values, path) {
  const { error, status, stderr } = spawnSync(program, values, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (error) throw error;
  if (status === 0) return;
  const [line] = stderr.trim().split("\n");
  throw new Error(line.replace(/^linmem: /, "").replace(`${path}: `, "") || `linmem ended with ${status}`);
}

function watch(hash, original, wasm, json) {
  const map = JSON.parse(json);
  if (map.version !== MAP_VERSION) throw new Error(`a map of version ${map.version} cannot be read`);
  if (!validate(wasm)) throw new Error("the engine refuses the instrumented module");
  return new WatchedModule(hash, original, withCustomSection(wasm, ORIGIN_SECTION, Buffer.from(hash)), map);
}
