// Has the engine validate and optimise the library's code later than it does by itself.

import { createRequire } from "node:module";

// The option is about how many bytes of code a function may execute before it is optimised. The loop of a large `match`
// has executed those within milliseconds; to optimise it takes a hundred, in which the processor has other things to do,
// and older versions of Node do not end before that is done. The most that the option takes is executed in some tenths of a
// second.
const OPTION = "--wasm-tiering-budget";
const LATE = 2 ** 31 - 1;

// What it is by itself, by the version of V8: there is no way to ask, and a version without it would complain.
const USUAL = { 11: 1_800_000, 12: 13_000_000, 13: 13_000_000 };

// Functions are validated when they are first called, which most are not. These versions have the option, too.
const VALIDATED_LATE = "--wasm-lazy-validation";

/** Calls `compile`. Only the modules that it compiles are validated and optimised late: all others belong to the program. */
export function doneLate(compile) {
  const usual = USUAL[parseInt(process.versions.v8)];
  if (usual === undefined || isSetByUser()) return compile();
  // Few programs need this, and Node takes a while to load it.
  const { setFlagsFromString } = createRequire(import.meta.url)("node:v8");
  setFlagsFromString(`${OPTION}=${LATE}`);
  setFlagsFromString(VALIDATED_LATE);
  try {
    return compile();
  } finally {
    setFlagsFromString(`${OPTION}=${usual}`);
    setFlagsFromString(VALIDATED_LATE.replace("--", "--no-"));
  }
}

// Node takes dashes and underscores alike, and takes no options of V8's like these from the environment.
const isSetByUser = () => process.execArgv.map((word) => word.replaceAll("_", "-")).some((word) => word.includes(OPTION) || word.includes(VALIDATED_LATE));
