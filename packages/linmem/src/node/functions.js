// Exported functions have stand-ins, which report the program's calls. A function that the program can
// also meet in a table or a global is to be the same there.

import { patchCall, patchGetter } from "./patch.js";

// What the program knows, by the function itself.
const standIns = new WeakMap();

// Who uses a table of functions: WeakRefs of instances.
const users = new WeakMap();

/** Takes in the functions and tables of an instance that the engine has handed out. */
export function learnFunctions(instance) {
  const { exports, module } = instance;
  for (const [own, name] of module.standIns) standIns.set(exports[own], exports[name]);
  for (const name of module.tables) usersOf(exports[name]).push(new WeakRef(instance));
}

function usersOf(table) {
  if (!users.has(table)) users.set(table, []);
  return users.get(table);
}

/** Patches where programs meet functions, in one realm. */
export function watchFunctions({ WebAssembly }) {
  patchCall(WebAssembly.Table.prototype, "get", (target, table, values) => known(Reflect.apply(target, table, values), table));
  patchGetter(WebAssembly.Global.prototype, "value", (get, global) => known(Reflect.apply(get, global, [])));
}

function known(value, table) {
  if (typeof value !== "function") return value;
  if (standIns.has(value)) return standIns.get(value);
  if (table !== undefined) for (const user of usersOf(table)) user.deref()?.functionTaken();
  return value;
}
