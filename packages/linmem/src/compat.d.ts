import type { Pointer } from "./strings.js";

/** What `WebAssembly.instantiate(bytes)` resolves to, an instance, or its exports. */
type Module = WebAssembly.WebAssemblyInstantiatedSource | WebAssembly.Instance | object;

/**
 * Passes `str` to `run` as a pointer to a NUL-terminated copy. The copy is freed when `run` is done,
 * and if that returned a promise, when the promise has settled. A NUL inside the text ends it there.
 *
 * @example createCString(instance, "banana", (pointer) => instance.exports.count_as(pointer))
 */
export function createCString<T>(
  module: Module,
  str: string,
  run: (pointer: number) => T,
): T extends PromiseLike<infer U> ? Promise<U> : T;

/** Reads a string that stays the guest's. The module needs no allocator for this. */
export function readStaticCString(module: Module, address: Pointer): string;

/** Reads the string whose pointer `create` returns (or promises), and frees it. */
export function receiveCString(module: Module, create: () => Pointer): string;
export function receiveCString(module: Module, create: () => PromiseLike<Pointer>): Promise<string>;
