// Modules with a memory, but without code of their own.
import { readFileSync } from "node:fs";

const moduleOf = (name) => new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/${name}.wasm`));

new WebAssembly.Instance(moduleOf("hiddenmemory"));
const { memory, data } = new WebAssembly.Instance(moduleOf("onlymemory")).exports;
console.log(memory.grow(1), memory.buffer.byteLength, new Uint8Array(memory.buffer)[data.value]);
const passedOn = new WebAssembly.Instance(moduleOf("passeson"), { host: { memory, log: (number) => console.log("log", number) } }).exports;
console.log(passedOn.memory === memory, Object.keys(passedOn), passedOn.log(7), passedOn.log.name);
