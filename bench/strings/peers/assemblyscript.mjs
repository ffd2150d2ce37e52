// The bindings that asc emits. Strings are collected there, so nothing is freed.

import { bytes } from "./module.mjs";

export const name = "AssemblyScript";

export async function load() {
  const { instantiate } = await import("../target/assembly.js");
  return instantiate(await WebAssembly.compile(await bytes("assembly.wasm")));
}
