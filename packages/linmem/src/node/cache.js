// Instrumented modules on disk, for the next run, for worker threads and for child processes: one file for each
// content, and beside it the original, which is linked to recordings and read of a module that another thread has sent. A file is
// written under a name of its own and then renamed, and what is read of it is checked.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { cacheRoot } from "./cache-root.js";
import { bytesWithRoom } from "../record/sections.js";

// A program may replace them.
const { accessSync, closeSync, constants, fstatSync, linkSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, statSync, utimesSync, writeSync } = fs;

// All files together; the ones that were used longest ago go first.
const MAX_BYTES = 512 * 1024 * 1024;

// A file that was used counts as used for so long, so that it need not be marked each time.
const MARK_SECONDS = 3600;

// Then come the digests of the instrumented module and of its map, that of the engine which has found the module valid, and the
// lengths of these two.
const MAGIC = "linmem module 4\n";
const DIGEST_BYTES = 32;
const ENGINE = 2;
const LENGTHS = MAGIC.length + 3 * DIGEST_BYTES;
const HEADER_BYTES = LENGTHS + 2 * 4;
const EXTENSION = ".module";
const OF_ORIGINAL = ".wasm";

// What is kept beside: compiled code, see code-cache.js.
const KINDS = [EXTENSION, OF_ORIGINAL, ".code"];

const KEY = /^[0-9a-f]{64}$/;

export const sha256 = (contents) => createHash("sha256").update(contents).digest("hex");

// What it takes may be up to options, too.
const THIS_ENGINE = sha256(JSON.stringify([process.versions.v8, process.arch, process.execArgv]));

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

  /**
   * What is kept for the key of a content, `{ wasm, map, isValid }`; undefined if there is nothing that is whole. Whether the module
   * is valid may not be known: another engine may have looked at it.
   */
  get(key) {
    return this.#read(key, (file) => ({ wasm: file.part(0, { hasRoom: true }), map: file.part(1).toString(), isValid: file.digest(ENGINE) === THIS_ENGINE || undefined }));
  }

  /** The map for the key of a content; undefined if it is not whole. */
  map(key) {
    return this.#read(key, (file) => file.part(1).toString());
  }

  /** The content itself; undefined if it is not whole. */
  original(key) {
    const path = this.#path(key, OF_ORIGINAL);
    if (path !== undefined) mark(path);
    return path && originalAt(path, key);
  }

  /** Gives the content, of so many bytes, this further name; false where that cannot be done. It is checked when it is read. */
  link(key, bytes, name) {
    const path = this.#path(key, OF_ORIGINAL);
    try {
      if (statSync(path).size !== bytes) return false;
      linkSync(path, name);
      mark(path);
      return true;
    } catch (error) {
      return error.code === "EEXIST";
    }
  }

  #read(key, partsOf) {
    const path = this.#path(key);
    let file;
    try {
      file = new Entry(path);
      const parts = partsOf(file);
      mark(path);
      return parts;
    } catch {
      // There is none, or it is damaged: a disk may be full, and a machine may stop while it writes.
      return undefined;
    } finally {
      file?.close();
    }
  }

  /** Keeps it, if it can be kept: `map` is text. */
  put(key, { original, wasm, map, isValid }) {
    const path = this.#path(key);
    if (path === undefined) return;
    const ofOriginal = this.#path(key, OF_ORIGINAL);
    const isKept = written(ofOriginal, [original]) && written(path, [header(isValid ? THIS_ENGINE : "", wasm, map), wasm, Buffer.from(map)]);
    if (isKept) this.#evict([path, ofOriginal]);
  }

  // A key comes from a module, too: it must not lead anywhere else.
  #path(key, extension = EXTENSION) {
    const directory = KEY.test(key) ? this.#directory() : undefined;
    return directory === undefined ? undefined : join(directory, key + extension);
  }

  // Of all that any version of linmem keeps. Another process may do the same.
  #evict(newest) {
    try {
      const root = join(newest[0], "..", "..");
      const files = readdirSync(root).flatMap((folder) => filesIn(join(root, folder)));
      files.sort((one, other) => other.used - one.used);
      let bytes = 0;
      for (const file of files) {
        bytes += file.bytes;
        if (bytes > this.#limit && !newest.includes(file.path)) rmSync(file.path, { force: true });
      }
    } catch {
      // Somebody else does the same.
    }
  }
}

/** The content in a file; undefined if it is not whole. */
export function originalAt(path, key) {
  try {
    const original = readFileSync(path);
    return sha256(original) === key ? original : undefined;
  } catch {
    return undefined;
  }
}

function filesIn(folder) {
  try {
    return readdirSync(folder).filter((name) => KINDS.some((kind) => name.includes(kind))).map((name) => fileAt(join(folder, name)));
  } catch {
    return [];
  }
}

function fileAt(path) {
  const { size, mtimeMs } = statSync(path);
  return { path, bytes: size, used: mtimeMs };
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

function header(engine, wasm, map) {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.write(sha256(wasm) + sha256(map) + engine, MAGIC.length, "hex");
  [wasm.length, Buffer.byteLength(map)].forEach((length, index) => header.writeUInt32LE(length, LENGTHS + 4 * index));
  return header;
}

// Whether it could be written.
function written(path, parts) {
  // Others may do the same at the same time.
  const own = `${path}.${process.pid}-${threadId}`;
  try {
    write(own, parts);
    renameSync(own, path);
    return true;
  } catch {
    rmSync(own, { force: true });
    return false;
  }
}

function write(path, parts) {
  const descriptor = openSync(path, "w");
  try {
    for (const part of parts) for (let at = 0; at < part.length; ) at += writeSync(descriptor, part, at);
  } finally {
    closeSync(descriptor);
  }
}

/** A file of the cache. Its methods throw where it is damaged. */
class Entry {
  #descriptor;
  #header;
  #lengths;

  constructor(path) {
    this.#descriptor = openSync(path, "r");
    try {
      this.#header = this.#bytesAt(0, HEADER_BYTES);
      this.#lengths = [0, 1].map((index) => this.#header.readUInt32LE(LENGTHS + 4 * index));
      const bytes = this.#lengths.reduce((sum, length) => sum + length, HEADER_BYTES);
      if (this.#header.toString("latin1", 0, MAGIC.length) !== MAGIC || fstatSync(this.#descriptor).size !== bytes) throw new Error("damaged");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close() {
    closeSync(this.#descriptor);
  }

  /** One of its parts. */
  part(index, { hasRoom = false } = {}) {
    const before = this.#lengths.slice(0, index).reduce((sum, length) => sum + length, HEADER_BYTES);
    const length = this.#lengths[index];
    const part = this.#bytesAt(before, length, hasRoom ? bytesWithRoom(length) : undefined);
    if (sha256(part) !== this.digest(index)) throw new Error("damaged");
    return part;
  }

  /** One of the digests in its header. */
  digest(index) {
    const start = MAGIC.length + DIGEST_BYTES * index;
    return this.#header.toString("hex", start, start + DIGEST_BYTES);
  }

  #bytesAt(start, length, bytes = Buffer.allocUnsafeSlow(length)) {
    for (let at = 0; at < length; ) {
      const count = readSync(this.#descriptor, bytes, at, length - at, start + at);
      if (count === 0) throw new Error("damaged");
      at += count;
    }
    return bytes;
  }
}
