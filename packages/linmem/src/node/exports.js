// An instance's exports without those that instrumentation added.

const ADDED = /^linmem\.(memory|memory\.size|(global|table|function)\.\d+)$/;

/** Whether instrumentation added an export of this name. */
export const isAddedExport = (name) => ADDED.test(name);

/** The exports as the program's own module has them. */
export function exportsAsBefore(all, module) {
  const view = Object.create(null);
  for (const name of Object.keys(all)) if (!isAddedExport(name)) view[name] = all[name];
  if (module !== null) nameAsBefore(view, module);
  return Object.freeze(view);
}

// A function's name is its index. Imported ones keep theirs.
function nameAsBefore(view, { exportedFunctions, importedFunctions }) {
  for (const [name, index] of exportedFunctions) {
    if (index >= importedFunctions) Object.defineProperty(view[name], "name", { value: String(index) });
  }
}
