// Instrumented modules on disk, for the next run, for worker threads and for child processes: one file for each
// content. A file is written under a name of its own and then renamed, and checked when it is read.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";

// A program may replace them.
const { accessSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } = fs;

// All files together; the ones that were used longest ago go first.
const MAX_BYTES = 512 * 1024 * 1024;

// A file that was used counts as used for so long, so that it need not be marked each time.
const MARK_SECONDS = 3600;

const MAGIC = "linmem module 1\n";
const DIGEST_BYTES = 32;
const HEADER_BYTES = MAGIC.length + DIGEST_BYTES + 3 * 4;
const EXTENSION = ".module";

const KEY = /^[0-9a-f]{64}$/;

export const sha256 = (contents) => createHash("sha256").update(contents).digest("hex");

export class Cache {
  #directory;
  #limit;

  /** `maker` stands for what instruments and how: another one may do it differently. */
  constructor(maker, { root = cacheRoot(), limit = MAX_BYTES } = {}) {
    this.#directory = () => {
      const directory = usable(root, sha256(maker).slice(0, 16)) ?? usable(process.env.LINMEM_TRACE_DIR || ".", "modules");
      this.#directory = () => directory;
      return directory;
    };
    this.#limit = limit;
  }

  /** What is kept for the key of a content: `{ original, wasm, map }`; undefined if there is nothing that is whole. */
  get(key) {
    const path = this.#path(key);
    try {
      const entry = entryIn(readFileSync(path));
      if (entry !== undefined) mark(path);
      return entry;
    } catch {
      return undefined;
    }
  }

  /** Keeps it, if it can be kept: `map` is text. */
  put(key, { original, wasm, map }) {
    const path = this.#path(key);
    if (path === undefined) return;
    // Others may do the same at the same time.
    const own = `${path}.${process.pid}-${threadId}`;
    try {
      write(own, [original, wasm, Buffer.from(map)]);
      renameSync(own, path);
      this.#evict(path);
    } catch {
      rmSync(own, { force: true });
    }
  }

  // A key comes from a module, too: it must not lead anywhere else.
  #path(key) {
    const directory = KEY.test(key) ? this.#directory() : undefined;
    return directory === undefined ? undefined : join(directory, key + EXTENSION);
  }

  // Of all that any version of linmem keeps. Another process may do the same.
  #evict(newest) {
    const root = join(newest, "..", "..");
    const files = readdirSync(root).flatMap((folder) => filesIn(join(root, folder)));
    files.sort((one, other) => other.used - one.used);
    let bytes = 0;
    for (const file of files) {
      bytes += file.bytes;
      if (bytes > this.#limit && file.path !== newest) rmSync(file.path, { force: true });
    }
  }
}

function filesIn(folder) {
  try {
    return readdirSync(folder).filter((name) => name.includes(EXTENSION)).map((name) => fileAt(join(folder, name)));
  } catch {
    return [];
  }
}

function fileAt(path) {
  const { size, mtimeMs } = statSync(path);
  return { path, bytes: size, used: mtimeMs };
}

// The user's cache directory, or where recordings go.
function cacheRoot() {
  const { LINMEM_CACHE_DIR, LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (LINMEM_CACHE_DIR) return LINMEM_CACHE_DIR;
  const users = XDG_CACHE_HOME || (process.platform === "win32" && LOCALAPPDATA) || join(homedir(), ".cache");
  return join(users, "linmem", "node");
}

function usable(...parts) {
  const directory = join(...parts);
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
    return directory;
  } catch {
    return undefined;
  }
}

function mark(path) {
  try {
    const now = Date.now() / 1000;
    if (now - statSync(path).mtimeMs / 1000 > MARK_SECONDS) utimesSync(path, now, now);
  } catch {
    // It is somebody else's file.
  }
}

function write(path, parts) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.write(digestOf(parts), MAGIC.length, "hex");
  parts.forEach((part, index) => header.writeUInt32LE(part.length, MAGIC.length + DIGEST_BYTES + 4 * index));
  const descriptor = openSync(path, "w");
  try {
    for (const part of [header, ...parts]) for (let at = 0; at < part.length; ) at += writeSync(descriptor, part, at);
  } finally {
    closeSync(descriptor);
  }
}

function digestOf(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

// A disk may be full, and a machine may stop while it writes.
function entryIn(file) {
  if (file.length < HEADER_BYTES || file.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  const digest = file.toString("hex", MAGIC.length, MAGIC.length + DIGEST_BYTES);
  let at = HEADER_BYTES;
  const parts = [0, 1, 2].map((index) => {
    const length = file.readUInt32LE(MAGIC.length + DIGEST_BYTES + 4 * index);
    return file.subarray(at, (at += length));
  });
  if (at !== file.length || digestOf(parts) !== digest) return undefined;
  const [original, wasm, map] = parts;
  return { original, wasm, map: map.toString() };
}
