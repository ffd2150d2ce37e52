// Allocates until it is killed.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const { allocate, deallocate } = instance.exports;
console.log("ready");
for (;;) deallocate(allocate(8));
