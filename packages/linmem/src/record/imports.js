// Adds the hooks to the program's imports. The engine asks the same objects for the program's imports, in
// the same order, as it would without the hooks.

import { noHooks } from "./hooks.js";
import { HOOK_MODULE, HOOKS } from "./names.js";

/** Whether an import is one of the hooks. */
export const isHook = (module, name) => module === HOOK_MODULE && HOOKS.includes(name);

/** The imports to instantiate a module with; those that the engine refuses stay as they are. */
export function withHooks(module, imports, hooks) {
  if (imports === undefined && module.importCount === 0) return { [HOOK_MODULE]: hooks };
  return isObject(imports) ? both(imports, hooks) : imports;
}

/** The same for a module of which nothing is known any more. */
export const withNoHooks = (imports) => both(imports ?? {}, noHooks);

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

function both(imports, hooks) {
  const get = (_, module) => (module === HOOK_MODULE ? merged(imports[HOOK_MODULE], hooks) : imports[module]);
  return new Proxy({}, { get });
}

const merged = (own, hooks) => new Proxy({}, { get: (_, name) => hooks[name] ?? own[name] });
