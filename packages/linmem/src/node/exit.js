// Ends the recording when the program ends, in whatever way Node says so: after the program's own `exit`
// listeners, which may still call modules. Nothing is added to what the program can list.

import { callSites } from "../record/v8-sites.js";

// Node's exit codes when a listener throws: one of `exit`, and one of `uncaughtException`, as old glue of Emscripten has it.
const UNCAUGHT = 1;
const HANDLER_THREW = 7;

/** Writes the trace's end when the process, or the worker thread, ends by itself. */
export function watchExit(recorder) {
  const { emit, reallyExit } = process;
  let ended = false;
  const end = (code) => {
    if (ended || !recorder.isKept) return;
    ended = true;
    recorder.end(Number(code ?? 0) || 0);
  };
  redefine("emit", function (name, ...values) {
    let threw = true;
    try {
      const heard = Reflect.apply(emit, this, [name, ...values]);
      threw = false;
      return heard;
    } finally {
      if (name === "worker" && this === process) watchWorker(values[0], recorder);
      if (name === "uncaughtExceptionMonitor" && this === process) recorder.uncaught(values[0]);
      // Node ends then, and tells nobody.
      if (name === "uncaughtException" && threw && this === process && isNodesOwn()) end(HANDLER_THREW);
      if (name === "exit" && isExiting(this)) end(process.exitCode ?? (threw ? UNCAUGHT : values[0]));
    }
  });
  redefine("reallyExit", function (code, ...values) {
    end(code);
    return Reflect.apply(reallyExit, this, [code, ...values]);
  });
}

// A thread may end in any way; what it had recorded is saved by this one.
function watchWorker(worker, { threads }) {
  const { emit, threadId } = worker;
  redefine("emit", function (name, ...values) {
    if (name === "online") threads.runs(threadId);
    if (name === "exit") threads.left(threadId);
    return Reflect.apply(emit, this, [name, ...values]);
  }, worker);
}

// A program may emit the event by itself.
const isExiting = (emitter) => emitter === process && process._exiting !== false;

// Whether Node itself emits, and not the program: what called `emit`, behind the functions of this file.
const isNodesOwn = () => callSites(4)[3]?.getFileName() === "node:internal/process/execution";

function redefine(name, value, object = process) {
  const { enumerable = false } = Object.getOwnPropertyDescriptor(object, name) ?? {};
  Object.defineProperty(value, "name", { value: name });
  Object.defineProperty(object, name, { value, configurable: true, enumerable, writable: true });
}
