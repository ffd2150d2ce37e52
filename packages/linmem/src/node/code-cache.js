// Runs a CommonJS file whose compiled code is kept for the next process and for other threads: to compile it is a third of what
// it costs to start. V8 refuses the code of another version of itself or of other options, and then compiles it as ever;
// code that is damaged it would run, so there is a digest.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as modules from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as vm from "node:vm";
import { threadId } from "node:worker_threads";
import { cacheRoot } from "./cache-root.js";

const { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = fs;
const { Module, createRequire } = modules;
const { Script } = vm;

const DIGEST_BYTES = 32;

/** The name of the file in stacks, which are those of the process that compiled it: the same file can lie in several places. */
export const NAME_IN_STACKS = "linmem:recorder.cjs";

/** Runs it. `whenDone(keep)` has `keep` called when enough of it has run: functions that have run are in the code. */
export function runCached(url, whenDone) {
  const path = fileURLToPath(url);
  const source = Module.wrap(readFileSync(path, "utf8"));
  const kept = fileFor(source);
  const cachedData = codeIn(kept);
  const script = new Script(source, { filename: NAME_IN_STACKS, cachedData });
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, createRequire(path), module, path, dirname(path));
  if (cachedData === undefined || script.cachedDataRejected) whenDone(() => keep(kept, script.createCachedData()));
}

const digestOf = (bytes) => createHash("sha256").update(bytes).digest();

const fileFor = (source) => join(cacheRoot(), "code", `${digestOf(`${process.versions.v8} ${process.arch} ${source}`).toString("hex")}.code`);

// The digest of the code comes first.
function codeIn(path) {
  try {
    const bytes = readFileSync(path);
    const code = bytes.subarray(DIGEST_BYTES);
    return digestOf(code).equals(bytes.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function keep(path, code) {
  const own = `${path}.${process.pid}-${threadId}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(own, Buffer.concat([digestOf(code), code]));
    renameSync(own, path);
  } catch {
    // Nothing can be written there, so the next one compiles it again.
    remove(own);
  }
}

function remove(path) {
  try {
    rmSync(path, { force: true });
  } catch {
    // No file can be there at all.
  }
}
