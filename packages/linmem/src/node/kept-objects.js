// Lets go of objects that a WeakRef made in this job keeps until the job ends. Running the microtasks of a context that
// has its own, of which there are none, ends that early.

import vm from "node:vm";

// A program may replace them, and the recorder does.
const { createContext, runInContext } = vm;

let context;

/** From now on what only such WeakRefs keep can be collected. */
export function letGo() {
  context ??= createContext({}, { microtaskMode: "afterEvaluate" });
  runInContext("", context);
}
