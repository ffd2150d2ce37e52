// Three functions that many a project writes for itself, on top of `linmem/strings`. `module` is an
// instance or its exports. Nothing is kept in the guest between calls.

import { cstrings } from "./strings.js";
import { isThenable } from "./strings/promise.js";

const writers = new WeakMap();
const readers = new WeakMap();

/** Passes `str` to `run` as a pointer, frees it when `run` is done, and returns what `run` returned. */
export function createCString(module, str, run) {
  return writer(module).with(str, (pointer) => run(pointer));
}

/** Reads a string that stays the guest's. */
export function readStaticCString(module, address) {
  return kept(readers, module, { readOnly: true }).read(address);
}

/** Reads the string whose pointer `create` returns, and frees it. */
export function receiveCString(module, create) {
  const created = create();
  if (isThenable(created)) return created.then((pointer) => writer(module).take(pointer));
  return writer(module).take(created);
}

const writer = (module) => kept(writers, module, { scratch: 0 });

function kept(cache, module, options) {
  if (!cache.has(module)) cache.set(module, cstrings(module, options));
  return cache.get(module);
}
