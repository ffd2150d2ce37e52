// Contexts of `node:vm` have a `WebAssembly` of their own: test runners make one for each test file.

import { syncBuiltinESMExports } from "node:module";
import vm from "node:vm";
import { patchCall } from "./patch.js";

const { runInContext } = vm;

/** Calls `watch(realm)` with the globals of this realm and of each context that is made. */
export function watchRealms(watch) {
  watch(globalThis);
  patchCall(vm, "createContext", (target, self, values) => {
    const context = Reflect.apply(target, self, values);
    if (isNew(context)) watch(runInContext("globalThis", context));
    return context;
  });
  syncBuiltinESMExports();
}

const seen = new WeakSet();

function isNew(context) {
  if (seen.has(context)) return false;
  seen.add(context);
  return true;
}
