// The linmem program, if it has started this one: it instruments modules.

import * as fs from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// A program may replace them.
const { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } = fs;
// Node takes a while to load this, for nothing where the library instruments.
const { spawnSync } = process.env.LINMEM_PROGRAM ? createRequire(import.meta.url)("node:child_process") : {};

/** Whether there is a file at this path that can be run. */
export function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Stands for a build of the program. */
export const programVersion = (program) => `${program} ${statSync(program).mtimeMs}`;

/** Instruments a module: `{ wasm, map }`. `options` are those of `linmem instrument`. */
export function instrumentBy(program, options, original) {
  const directory = mkdtempSync(join(tmpdir(), "linmem-"));
  const [from, to, map] = ["original.wasm", "instrumented.wasm", "map.json"].map((name) => join(directory, name));
  try {
    writeFileSync(from, original);
    run(program, ["instrument", ...options, from, "--output", to, "--map", map], from);
    return { wasm: readFileSync(to), map: readFileSync(map, "utf8") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// Throws the first line that it says when it fails. The file's name in it says nothing to a reader.
function run(program, args, file) {
  const { error, status, stderr } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (error) throw error;
  if (status === 0) return;
  const [line] = stderr.trim().split(/\r?\n/);
  throw new Error(line.replace(/^linmem: /, "").replace(`${file}: `, "") || `linmem ended with ${status}`);
}
