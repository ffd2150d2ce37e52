// The sink port: the trace file of this thread. It is made when its first bytes come.

import * as fs from "node:fs";
import { resolve } from "node:path";
import { isMainThread, threadId } from "node:worker_threads";

// A program may replace them.
const { mkdirSync, openSync, writeSync } = fs;

const directory = resolve(process.env.LINMEM_TRACE_DIR || ".");
let file;

/** Appends bytes to the trace. */
export function sink(bytes) {
  file ??= openNew();
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

// A process number can come twice, where several systems of processes share a directory.
function openNew() {
  mkdirSync(directory, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      return openSync(resolve(directory, fileName(attempt === 0 ? "" : `-again${attempt}`)), "wx");
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

function fileName(suffix) {
  if (process.env.LINMEM_TRACE_DIR) return `${process.pid}-${threadId}${suffix}.trace`;
  return `linmem-${process.pid}${isMainThread ? "" : `-${threadId}`}${suffix}.trace`;
}

/** Writes one line to stderr. */
export function complain(message) {
  try {
    writeSync(2, `linmem: ${message}\n`);
  } catch {
    // There is no one to tell. The program goes on.
  }
}
