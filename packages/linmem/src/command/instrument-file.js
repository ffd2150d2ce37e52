// `linmem instrument`: write the instrumented module.

import { readFileSync, writeFileSync } from "node:fs";
import { theLibrary } from "../node/packaged-library.js";
import { ALLOCATOR, ALLOCATOR_HELP, allocatorHints, read } from "./arguments.js";
import { CommandError, about } from "./command-error.js";

const HELP = `Write the instrumented module that linmem runs

Usage: linmem instrument [OPTIONS] --output <OUT.wasm> <IN.wasm>

  -o, --output <OUT.wasm>  Where to write the instrumented module
      --map <FILE>         Also write what a recorder has to know (docs/trace-format.md), as JSON

${ALLOCATOR_HELP}`;

const OPTIONS = { output: { type: "string", short: "o" }, map: { type: "string" }, ...ALLOCATOR };

export function run(words) {
  const parsed = read(words, OPTIONS, HELP);
  if (parsed === undefined) return 0;
  const { values, positionals } = parsed;
  const [path] = positionals;
  if (values.output === undefined) throw new CommandError("--output is missing (see --help)");
  const original = about(path, () => readFileSync(path), "cannot read ");
  const { wasm, map } = about(path, () => theLibrary().instrument(original, allocatorHints(values)));
  if (values.map !== undefined) write(values.map, map);
  write(values.output, wasm);
  return 0;
}

const write = (path, contents) => about(path, () => writeFileSync(path, contents), "cannot write ");
