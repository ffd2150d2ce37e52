// The instrument port: the linmem program instruments modules, once for each content, and a directory keeps
// the results for the next run, for worker threads and for child processes.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { mayHaveMemory } from "../record/sections.js";
import { findProgram, runProgram } from "./program.js";

// A program may replace them.
const { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = fs;

const program = findProgram(process.env);
// Which functions allocate, where a module does not say: `["--malloc", "xa"]`.
const options = JSON.parse(process.env.LINMEM_INSTRUMENT_OPTIONS || "[]");
let directory;

const sha256 = (contents) => createHash("sha256").update(contents).digest("hex");

export const instrument = {
  unavailable: program === undefined ? `there is no program ${process.env.LINMEM_PROGRAM || "`linmem` in PATH"}` : undefined,

  key: sha256,

  make(key, original) {
    if (program === undefined) throw new Error(instrument.unavailable);
    // A program may make very many of these, one for each function that it hands to a module.
    if (!mayHaveMemory(original)) throw new Error("the module has no memory, so nothing is recorded");
    return isKept(key) ? result(kept(key)) : made(key, original);
  },

  find(key) {
    return isKept(key) ? { original: readFileSync(kept(key)("original")), map: mapIn(kept(key)) } : undefined;
  },
};

// The paths of what is kept for a content, by kind.
const kept = (key) => (kind) => inCache(`${key}.${kind}`);

const inCache = (name) => join((directory ??= cacheDirectory()), name);

const isKept = (key) => existsSync(kept(key)("json"));

const mapIn = (path) => JSON.parse(readFileSync(path("json"), "utf8"));

const result = (path) => ({ wasm: readFileSync(path("wasm")), map: mapIn(path) });

// Another build of linmem may instrument differently, and other options do.
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
  const { LINMEM_CACHE_DIR, LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (LINMEM_CACHE_DIR) return LINMEM_CACHE_DIR;
  const users = XDG_CACHE_HOME || (process.platform === "win32" && LOCALAPPDATA) || join(homedir(), ".cache");
  return join(users, "linmem", "node");
}

const KINDS = ["original", "wasm", "json"];

// Others may do the same at the same time: each works on its own files. The map comes last.
function made(key, original) {
  const own = (kind) => inCache(`${key}.${process.pid}-${threadId}.${kind}`);
  try {
    writeFileSync(own("original"), original);
    instrumentFile(own);
    const { wasm, map } = result(own);
    for (const kind of KINDS) renameSync(own(kind), kept(key)(kind));
    return { wasm, map };
  } finally {
    for (const kind of KINDS) rmSync(own(kind), { force: true });
  }
}

function instrumentFile(own) {
  try {
    runProgram(program, ["instrument", ...options, own("original"), "--output", own("wasm"), "--map", own("json")]);
  } catch (error) {
    // The file's name says nothing to a reader.
    throw new Error(error.message.replace(`${own("original")}: `, ""));
  }
}
