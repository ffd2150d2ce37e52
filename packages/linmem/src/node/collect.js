// Collects garbage when the program has nothing left to do, and lets finalizers run, before the program hears that.

import { createRequire } from "node:module";
import vm from "node:vm";

// A finalizer may let go of further objects.
const ROUNDS = 3;

const { runInNewContext } = vm;

/** Does so the first time that the event loop is empty. */
export function collectAtEnd() {
  // Only here, as Node takes a while to load it.
  const v8 = createRequire(import.meta.url)("node:v8");
  v8.setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  v8.setFlagsFromString("--no-expose-gc");
  const { emit } = process;
  let rounds = 0;
  const collecting = {
    emit(name, ...values) {
      if (name !== "beforeExit" || this !== process || rounds === ROUNDS) return Reflect.apply(emit, this, [name, ...values]);
      rounds++;
      collect();
      // The event loop goes on, and finalizers run in it.
      setImmediate(() => {});
      return true;
    },
  };
  const { enumerable = false } = Object.getOwnPropertyDescriptor(process, "emit") ?? {};
  Object.defineProperty(process, "emit", { value: collecting.emit, configurable: true, enumerable, writable: true });
}
