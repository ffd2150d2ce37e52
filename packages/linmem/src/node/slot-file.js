// The trace files of threads that use shared memories (record/slots.js): their owner and the drainer both
// write to them, each through a descriptor of its own that only appends.

import * as fs from "node:fs";
import { resolve } from "node:path";

// A program may replace them.
const { fstatSync, mkdirSync, openSync, writeSync } = fs;

const directory = resolve(process.env.LINMEM_TRACE_DIR || ".");

class SlotFile {
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

/** Makes the file of a thread: `{ file, attempt }`. A process number can come twice, where several systems share a directory. */
export function makeFile(thread) {
  mkdirSync(directory, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      return { file: new SlotFile(openSync(pathOf(thread, attempt), "ax")), attempt };
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

const opened = new Map();

/** The file that a thread has made. */
export function fileOf(thread, attempt) {
  const path = pathOf(thread, attempt);
  if (!opened.has(path)) opened.set(path, new SlotFile(openSync(path, "a")));
  return opened.get(path);
}

function pathOf(thread, attempt) {
  const suffix = attempt === 0 ? "" : `-again${attempt}`;
  if (process.env.LINMEM_TRACE_DIR) return resolve(directory, `${process.pid}-${thread}${suffix}.trace`);
  return resolve(directory, `linmem-${process.pid}${thread === 0 ? "" : `-${thread}`}${suffix}.trace`);
}
