// Duplicates a string a few times, and forgets one.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const { allocate, deallocate, memory, string_duplicate } = instance.exports;

function createCString(text) {
  const pointer = allocate(text.length + 1);
  new TextEncoder().encodeInto(`${text}\0`, new Uint8Array(memory.buffer, pointer));
  return pointer;
}

const text = createCString("banana");
for (let turn = 0; turn < 10; turn++) deallocate(string_duplicate(text));
console.log(memory.buffer.byteLength, memory.grow(0), memory.grow(1), Object.keys(instance.exports).join(" "));
