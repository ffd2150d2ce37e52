// The glue that wasm-bindgen emits.

import { bytes } from "./module.mjs";

export const name = "wasm-bindgen";

export async function load() {
  const { copy, first, initSync, keep } = await import("../target/bindgen/bindgen_guest.js");
  initSync({ module: await bytes("bindgen/bindgen_guest_bg.wasm") });
  return { first, keep, copy };
}
