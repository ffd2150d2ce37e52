// Functions of the global object that a program may replace. A worker that waits for a debugger does not have all of
// them yet: those are taken when they are first called.

/** A function of this name, as it is now or will be first. */
export function early(name) {
  let found = globalThis[name];
  return (...values) => (found ??= globalThis[name])(...values);
}
