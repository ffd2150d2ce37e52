// A module that cannot be instrumented, and bytes that are not a module.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(`${process.env.GUESTS}/plain.wasm`));
console.log(instance.exports.add(1, 2));
try {
  new WebAssembly.Module(new Uint8Array(4));
} catch (error) {
  console.log(error.name);
}
