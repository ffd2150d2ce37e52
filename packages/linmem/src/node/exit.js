// Ends the recording when the program ends, in whatever way Node says so: after the program's own `exit`
// listeners, which may still call modules. Nothing is added to what the program can list.

// Node's exit code when a listener throws.
const UNCAUGHT = 1;

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

function redefine(name, value, object = process) {
  const { enumerable = false } = Object.getOwnPropertyDescriptor(object, name) ?? {};
  Object.defineProperty(value, "name", { value: name });
  Object.defineProperty(object, name, { value, configurable: true, enumerable, writable: true });
}
