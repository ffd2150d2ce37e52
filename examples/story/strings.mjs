// Passes strings to a C module (../strings.c) and gets strings back: the small library of the
// story, which has the usual holes. linmem/strings is what it should have been.
import { readFile } from "node:fs/promises";

const module = new URL("../strings.wasm", import.meta.url);

/** The exports of a new instance. */
export async function instantiate() {
  const { instance } = await WebAssembly.instantiate(await readFile(module));
  return instance.exports;
}

/** Runs a function with a C string, and frees the string. */
export function createCString(strings, text, run) {
  const bytes = new TextEncoder().encode(`${text}\0`);
  const pointer = strings.allocate(bytes.length);
  new Uint8Array(strings.memory.buffer).set(bytes, pointer);
  const result = run(pointer);
  strings.deallocate(pointer);
  return result;
}

/** Reads a C string that stays the module's. */
export function readStaticCString(strings, pointer) {
  const bytes = new Uint8Array(strings.memory.buffer, pointer);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** Reads a C string that the module made for the caller, and frees it. */
export function receiveCString(strings, create) {
  const pointer = create();
  const text = readStaticCString(strings, pointer);
  strings.deallocate(pointer);
  return text;
}
