// Has the engine optimise the library's code later than it does by itself.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

// The option is about how many bytes of code a function may execute before it is optimised. The loop of a large `match`
// has executed those within milliseconds; to optimise it takes a hundred, in which the processor has other things to do,
// and older versions of Node do not end before that is done. So many bytes are executed in some tenths of a second.
const OPTION = "--wasm-tiering-budget";
const LATE = 1_000_000_000;

// What it is by itself, by the version of V8: there is no way to ask, and a version without it would complain.
const USUAL = { 11: 1_800_000, 12: 13_000_000, 13: 13_000_000 };

/** Calls `compile`. Only the modules that it compiles are optimised late: all others belong to the program. */
export function optimisedLate(compile) {
  const usual = USUAL[parseInt(process.versions.v8)];
  if (usual === undefined || isSetByUser()) return compile();
  // Few programs need this, and Node takes a while to load it.
  const { setFlagsFromString } = require("node:v8");
  setFlagsFromString(`${OPTION}=${LATE}`);
  try {
    return compile();
  } finally {
    setFlagsFromString(`${OPTION}=${usual}`);
  }
}

// Node takes dashes and underscores alike, and takes no option of V8's like this one from the environment.
const isSetByUser = () => process.execArgv.some((word) => word.replaceAll("_", "-").includes(OPTION));
