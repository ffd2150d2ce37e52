// What is easily missed: a pointer behind a header, two numbers in one, a size read within realloc, and an
// export that the program puts into a table.
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/corners.wasm`));
let memory;
const sizes = [];
const instance = new WebAssembly.Instance(module, { host: { resize: () => sizes.push(memory.buffer.byteLength) } });
const { behind, indirect, malloc, packed, realloc, table } = instance.exports;
memory = instance.exports.memory;

const [first, both, moved] = [behind(), packed(), realloc(malloc(100), 200)];
table.set(1, behind);
console.log(table.get(0) === behind, table.get(1) === behind, table.get(2));
indirect();
console.log(first, both, moved, sizes);
