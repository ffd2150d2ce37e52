// The end of the program, in whatever way Node comes to say that there is one: after the program's own
// `exit` listeners, which may still call modules. Nothing is added to what the program can list.

import { snapshot } from "./snapshot.js";
import * as trace from "./trace.js";

// What Node exits with when a listener throws.
const UNCAUGHT = 1;

let ended = false;

/** Writes the trace's end when the process, or the worker thread, ends by itself. */
export function watchExit() {
  const { emit, reallyExit } = process;
  redefine("emit", function (name, ...values) {
    let threw = true;
    try {
      const heard = Reflect.apply(emit, this, [name, ...values]);
      threw = false;
      return heard;
    } finally {
      if (name === "exit" && isExiting(this)) end(process.exitCode ?? (threw ? UNCAUGHT : values[0]));
    }
  });
  redefine("reallyExit", function (code, ...values) {
    end(code);
    return Reflect.apply(reallyExit, this, [code, ...values]);
  });
}

// A program may emit the event by itself.
const isExiting = (emitter) => emitter === process && process._exiting !== false;

function redefine(name, value) {
  const { enumerable = false } = Object.getOwnPropertyDescriptor(process, name) ?? {};
  Object.defineProperty(value, "name", { value: name });
  Object.defineProperty(process, name, { value, configurable: true, enumerable, writable: true });
}

function end(code) {
  if (ended || !trace.isKept()) return;
  ended = true;
  snapshot();
  trace.exit(Number(code ?? 0) || 0);
}
