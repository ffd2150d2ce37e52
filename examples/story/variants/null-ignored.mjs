// The memory must not grow: malloc returns NULL, and the code ignores that. JavaScript drops a write past the
// end silently, so all but the last byte of the string lands at address 0 and after.
import { readFile } from "node:fs/promises";
import { long, size } from "../long.mjs";

const bytes = await readFile(new URL("../../strings.wasm", import.meta.url));
const { instance } = await WebAssembly.instantiate(capped(bytes));
const strings = instance.exports;
const before = size(strings);
const text = new TextEncoder().encode(`${long}\0`);
const pointer = strings.allocate(text.length);
const view = new Uint8Array(strings.memory.buffer);
for (let i = 0; i < text.length; i++) view[pointer + i] = text[i];
console.log(pointer, size(strings) === before);

/** The module with a maximum of two pages. */
function capped(bytes) {
  const memory = Buffer.from([5, 3, 1, 0, 2]); // section 5, 3 bytes: one memory, no maximum, 2 pages
  const at = bytes.indexOf(memory);
  return Buffer.concat([bytes.subarray(0, at), Buffer.from([5, 4, 1, 1, 2, 2]), bytes.subarray(at + memory.length)]);
}
