// Watches every WebAssembly instance that a Node program creates, and writes what happens to a trace
// (docs/trace-format.md): `node --import linmem/node program.mjs`, then `linmem report FILE.trace`.
//
//   LINMEM_PROGRAM             the linmem program, which instruments modules; else `linmem` in PATH
//   LINMEM_INSTRUMENT_OPTIONS  options for `linmem instrument`, as a list in JSON: ["--malloc", "xa"]
//   LINMEM_TRACE_DIR           where each process and each worker thread writes its own
//                              <pid>-<thread>.trace; else linmem-<pid>.trace in the current directory
//   LINMEM_CACHE_DIR           where instrumented modules are kept; else in the user's cache directory

import { watchExit } from "./node/exit.js";
import { watchFunctions } from "./node/functions.js";
import { watchMemories, watchViews } from "./node/memory.js";
import { watchModules } from "./node/modules.js";
import { watchRealms } from "./node/realms.js";
import { offerWatch } from "./node/watch.js";

const WATCHED = Symbol.for("linmem.node");

// Given twice, by hand and by the environment, it still watches once.
if (!Object.hasOwn(process, WATCHED)) {
  Object.defineProperty(process, WATCHED, { value: true });
  watchRealms((realm) => {
    watchModules(realm);
    watchFunctions(realm);
    watchMemories(realm);
    offerWatch(realm);
  });
  watchViews();
  watchExit();
}
