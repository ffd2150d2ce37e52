// Watches this realm and the contexts of `node:vm`, which have a `WebAssembly` of their own: test runners
// make one for each test file.

import { syncBuiltinESMExports } from "node:module";
import vm from "node:vm";

const { runInContext } = vm;

/** Watches the globals of this realm, and of each context that is made. */
export function watchRealms(recorder) {
  const seen = new WeakSet();
  recorder.watch(globalThis);
  recorder.patch.call(vm, "createContext", (target, self, values) => {
    const context = Reflect.apply(target, self, values);
    if (seen.has(context)) return context;
    seen.add(context);
    recorder.watch(runInContext("globalThis", context));
    return context;
  });
  syncBuiltinESMExports();
}
