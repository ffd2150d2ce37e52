// Strings that JavaScript passes to a module in C: right, or wrong as the first argument says.
//
//   npx linmem node --check examples/checks/strings.mjs past
//
//   past     writes a string and its NUL into a block that has room for the string only
//   freed    reads a string whose block was freed
//   lent     has the module free a string that it was only lent, and lends it another
//   healthy  does none of that
import { readFileSync } from "node:fs";
import { cstrings } from "../../packages/linmem/src/strings.js";

const wasm = readFileSync(new URL("../strings.wasm", import.meta.url));
const { instance } = await WebAssembly.instantiate(wasm, { wasi_snapshot_preview1: new Proxy({}, { get: () => () => 0 }) });
const { memory, allocate, deallocate, upper } = instance.exports;
const [use = "healthy"] = process.argv.slice(2);

function write(text) {
  const bytes = new TextEncoder().encode(text);
  const pointer = allocate(use === "past" ? bytes.length : bytes.length + 1);
  const view = new Uint8Array(memory.buffer);
  view.set(bytes, pointer);
  view[pointer + bytes.length] = 0;
  return pointer;
}

const strings = cstrings({ memory, malloc: allocate, free: deallocate });
for (let time = 0; time < 3; time++) {
  const pointer = write("banana");
  const copy = upper(pointer);
  if (use === "freed") deallocate(copy);
  console.log(strings.read(copy));
  if (use !== "freed") deallocate(copy);
  deallocate(pointer);
}
strings.with("apple", (pointer) => use === "lent" && deallocate(pointer));
strings.with("cherry", (pointer) => console.log(strings.take(upper(pointer))));
