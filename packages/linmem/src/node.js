// Watches every WebAssembly instance that a Node program creates, and writes what happens to a trace
// (docs/trace-format.md): `node --require linmem/node program.mjs`, then `linmem report FILE.trace`.
//
//   LINMEM_PROGRAM             the native program, if it has started this one: it instruments modules then
//   LINMEM_INSTRUMENT_OPTIONS  options for `linmem instrument`, as a list in JSON: ["--malloc", "xa"]
//   LINMEM_TRACE_DIR           where each process and each worker thread writes its own
//                              <pid>-<thread>.trace; else linmem-<pid>.trace in the current directory
//   LINMEM_MODULES_BESIDE      if it is 1, large modules are linked to the directory of the trace instead of written to it
//   LINMEM_COLLECT             if it is set, garbage is collected and finalizers run before the program ends
//   LINMEM_STOP_AT_FIRST       if it is set, the program ends at the first access that is not right
//   LINMEM_CACHE_DIR           where instrumented modules are kept; else in the user's cache directory

import { clock } from "./node/clock.js";
import { collectAtEnd } from "./node/collect.js";
import { watchExit } from "./node/exit.js";
import { instrument } from "./node/instrument.js";
import { nonzeroPages } from "./node/nonzero-pages.js";
import { letGo } from "./node/kept-objects.js";
import { watchRealms } from "./node/realms.js";
import { stacks } from "./node/stacks.js";
import { threads } from "./node/control-memory.js";
import { complain, sink } from "./node/trace-file.js";
import { watchViews } from "./node/views.js";
import { Recorder } from "./record/recorder.js";

const RECORDER = Symbol.for("linmem.node");

// Given twice, by `--require` and `--import` or by hand and by the environment, it still watches once.
if (!Object.hasOwn(process, RECORDER)) {
  const { port, seal } = threads();
  // A program may replace `exit`.
  const { exit } = process;
  const stop = process.env.LINMEM_STOP_AT_FIRST ? () => Reflect.apply(exit, process, [1]) : undefined;
  const recorder = new Recorder({ sink, clock, stacks, instrument, complain, nonzeroPages, stop, letGo, seal, threads: port });
  Object.defineProperty(process, RECORDER, { value: recorder });
  watchRealms(recorder);
  watchViews(recorder);
  watchExit(recorder);
  if (process.env.LINMEM_COLLECT) collectAtEnd();
}
