// Exported functions have stand-ins, which report the program's calls. A function that the program can
// also meet in a table or a global is to be the same there; and what the module calls through a table is
// to be the function itself.

import { patchCall, patchGetter } from "./patch.js";
import { liveInstances } from "./watched-instance.js";

// What the program knows, by the function itself; and the other way round.
const standIns = new WeakMap();
const originals = new WeakMap();

// Who uses a table of functions: WeakRefs of instances of which it is not known yet that the program calls
// them unseen.
const users = new WeakMap();

/** Takes in the functions and tables of an instance that the engine has handed out. */
export function learnFunctions(instance) {
  const { exports, module } = instance;
  for (const [own, name] of module.standIns) {
    standIns.set(exports[own], exports[name]);
    originals.set(exports[name], exports[own]);
  }
  for (const name of module.tables) usersOf(exports[name]).push(new WeakRef(instance));
}

function usersOf(table) {
  if (!users.has(table)) users.set(table, []);
  return users.get(table);
}

/** Patches where programs meet functions, in one realm. */
export function watchFunctions({ WebAssembly }) {
  const { Global, Table } = WebAssembly;
  patchCall(Table.prototype, "get", (target, table, values) => shown(Reflect.apply(target, table, values), table));
  patchCall(Table.prototype, "set", (target, table, values) => Reflect.apply(target, table, kept(values, table)));
  patchCall(Table.prototype, "grow", (target, table, values) => Reflect.apply(target, table, kept(values, table)));
  patchGetter(Global.prototype, "value", (get, global) => shown(Reflect.apply(get, global, [])));
  patchCall(Global.prototype, "valueOf", (target, global, values) => shown(Reflect.apply(target, global, values)));
}

// What the program gets for what the engine has.
function shown(value, table) {
  if (typeof value !== "function") return value;
  if (standIns.has(value)) return standIns.get(value);
  taken(table);
  return value;
}

// What the engine gets for what the program gives, second of all. A function of the program's own may be
// handed addresses.
function kept(values, table) {
  const value = values[1];
  if (typeof value !== "function") return values;
  if (originals.has(value)) return values.with(1, originals.get(value));
  taken(table);
  return values;
}

// From here on calls cross that nobody sees. A global does not say whose functions it holds.
function taken(table) {
  const known = table === undefined ? liveInstances() : usersOf(table).map((reference) => reference.deref());
  for (const instance of known) instance?.functionTaken();
  if (table !== undefined) users.delete(table);
}
