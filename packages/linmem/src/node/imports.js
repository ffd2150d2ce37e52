// The hooks beside the program's imports. The engine asks for the program's in the same order, of the
// same objects, as it would without the hooks.

import { noHooks } from "./hooks.js";

const HOOKS = "linmem";

/** Whether an import is one of the hooks. */
export const isHook = (module, name) => module === HOOKS && Object.hasOwn(noHooks, name);

/** What a module is to be instantiated with; imports that the engine refuses stay as they are. */
export function withHooks(module, imports, hooks) {
  if (imports === undefined && module.importCount === 0) return { [HOOKS]: hooks };
  return isObject(imports) ? both(imports, hooks) : imports;
}

/** For a module of which nothing is known any more. */
export const withNoHooks = (imports) => both(imports ?? {}, noHooks);

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

function both(imports, hooks) {
  const get = (_, module) => (module === HOOKS ? merged(imports[HOOKS], hooks) : imports[module]);
  return new Proxy({}, { get });
}

const merged = (own, hooks) => new Proxy({}, { get: (_, name) => hooks[name] ?? own[name] });
