// The trace files: each thread has its own, which is made when its first bytes come. Where threads share memories,
// another thread may write to it too (record/slots.js): each through a descriptor of its own that only appends.

import * as fs from "node:fs";
import { resolve } from "node:path";
import { threadId } from "node:worker_threads";

// A program may replace them.
const { fstatSync, mkdirSync, openSync, writeSync } = fs;

const directory = resolve(process.env.LINMEM_TRACE_DIR || ".");

class TraceFile {
  #descriptor;

  constructor(descriptor) {
    this.#descriptor = descriptor;
  }

  size() {
    return fstatSync(this.#descriptor).size;
  }

  append(bytes) {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
  }
}

let own;

/** The path of a file beside the traces. */
export function pathBeside(name) {
  mkdirSync(directory, { recursive: true });
  return resolve(directory, name);
}

/** The file of this thread: `{ file, attempt }`. A process number can come twice, where several systems share a directory. */
export const ownFile = () => (own ??= made());

function made() {
  mkdirSync(directory, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      return { file: new TraceFile(openSync(pathOf(threadId, attempt), "ax")), attempt };
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

const opened = new Map();

/** The file that a thread has made. */
export function fileOf(thread, attempt) {
  const path = pathOf(thread, attempt);
  if (!opened.has(path)) opened.set(path, new TraceFile(openSync(path, "a")));
  return opened.get(path);
}

function pathOf(thread, attempt) {
  const suffix = attempt === 0 ? "" : `-again${attempt}`;
  if (process.env.LINMEM_TRACE_DIR) return resolve(directory, `${process.pid}-${thread}${suffix}.trace`);
  return resolve(directory, `linmem-${process.pid}${thread === 0 ? "" : `-${thread}`}${suffix}.trace`);
}

/** Appends bytes to the trace. */
export const sink = (bytes) => ownFile().file.append(bytes);

/** Writes one line to stderr. */
export function complain(message) {
  try {
    writeSync(2, `linmem: ${message}\n`);
  } catch {
    // There is no one to tell. The program goes on.
  }
}
