// `linmem inspect`: what is in a module, without running it.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { theLibrary } from "../node/packaged-library.js";
import { ALLOCATOR, ALLOCATOR_HELP, allocatorHints, read } from "./arguments.js";
import { about } from "./command-error.js";
import { print } from "./output.js";

const HELP = `Show what is in a module, without running it

Memories and their limits, where data, stack and heap lie, the toolchain, which functions allocate and on what
evidence, and the text of every function that asks for or changes the size of a memory.

Usage: linmem inspect [OPTIONS] <MODULE.wasm>

${ALLOCATOR_HELP}`;

export function run(words) {
  const parsed = read(words, ALLOCATOR, HELP);
  if (parsed === undefined) return 0;
  const [path] = parsed.positionals;
  const wasm = about(path, () => readFileSync(path), "cannot read ");
  const text = about(path, () => theLibrary().inspect(wasm, allocatorHints(parsed.values), debugInformation(path, wasm)));
  print(1, text);
  return 0;
}

// The file that has the debug information lies beside the module, if it is there.
function debugInformation(path, wasm) {
  const name = theLibrary().debugFile(wasm);
  if (name === undefined) return undefined;
  const beside = join(dirname(path), basename(name));
  if (existsSync(beside)) return readFileSync(beside);
  print(2, `linmem: no source lines: there is no ${beside}, where ${path} says that its debug information is\n`);
  return undefined;
}
