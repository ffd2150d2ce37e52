// Options of V8 that modules with several memories need. A version without an option would complain.

import { createRequire } from "node:module";

// By the version of V8: what Node 22 has crashes when such a module imports a function of Node's own that has a fast way in,
// as those of `node:wasi` have. Version 13 does not heed the hints that branches of checks are hardly ever taken, unless it
// is told to; measured in Node 24, SQLite and QuickJS take a sixth less time then.
const OPTIONS = { 12: "--no-turbo-fast-api-calls", 13: "--experimental-wasm-branch-hinting" };

/** Sets them, for modules that are compiled from now on. */
export function setEngineOptions() {
  const option = OPTIONS[parseInt(process.versions.v8)];
  // Node takes a while to load it.
  if (option !== undefined) createRequire(import.meta.url)("node:v8").setFlagsFromString(option);
}
