// What is one and the same object stays that.
import { readFileSync } from "node:fs";

const strings = new WebAssembly.Module(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const module = new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/identity.wasm`));
const { get_memory_size } = new WebAssembly.Instance(strings).exports;

for (const give of [get_memory_size, () => 4]) {
  const { exports } = new WebAssembly.Instance(module, { host: { give } });
  const { global, malloc, malloc2, memory, nothing, nothing2, one, table, uses, uses2 } = exports;
  console.log(exports.give === give, malloc === malloc2, nothing === nothing2, uses === uses2, table.get(0) === nothing, table.get(1) === exports.give);
  console.log([exports.give, malloc, nothing, uses, table.get(0), table.get(1)].map(({ name, length }) => [name, length]));
  console.log(table.get(2) === malloc, table.get(3) === uses, global.value === uses, table.get(4) === table.get(4), table.get(4)(), table.get(5));
  table.set(0, malloc);
  table.set(4, table.get(2));
  console.log(table.get(0) === malloc, table.get(4) === malloc, memory.buffer === memory.buffer, exports.give(), one.value, malloc(5), malloc2(6));
}
