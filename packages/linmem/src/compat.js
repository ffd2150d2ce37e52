// Three functions that many a project writes for itself, on top of `linmem/strings`. `module` is what
// `WebAssembly.instantiate(bytes)` resolves to, an instance, or its exports. Nothing is kept in the guest between
// calls. A text ends where C ends it, at its first NUL.

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

const writer = (module) => kept(writers, module, { scratch: 0, onNul: "truncate" });

function kept(cache, module, options) {
  const guest = guestOf(module);
  if (!cache.has(guest)) cache.set(guest, cstrings(guest, options));
  return cache.get(guest);
}

// An export called `instance` has no exports of its own.
const guestOf = (module) => (module?.instance?.exports === undefined ? module : module.instance);
