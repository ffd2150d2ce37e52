// Shows an instance's exports without those that instrumentation added.

import { EXPORTS } from "./names.js";

const { global, table, ...named } = EXPORTS;
const NAMES = Object.values(named);
const PREFIXES = [global, table];

/** Whether instrumentation added an export of this name. */
export const isAddedExport = (name) => NAMES.includes(name) || PREFIXES.some((prefix) => isIndexed(name, prefix));

const isIndexed = (name, prefix) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));

/** The exports as the program's own module has them. */
export function exportsAsBefore(all, module) {
  const view = Object.create(null);
  for (const name of Object.keys(all)) if (!isAddedExport(name)) view[name] = all[name];
  if (module !== null) nameAsBefore(view, module);
  return Object.freeze(view);
}

// A function's name is its index. Imported functions keep theirs.
function nameAsBefore(view, { exportedFunctions, importedFunctions }) {
  for (const [name, index] of exportedFunctions) {
    if (index >= importedFunctions) Object.defineProperty(view[name], "name", { value: String(index) });
  }
}
