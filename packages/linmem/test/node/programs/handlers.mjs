// Has its own way with stacks, which nothing else may use, and then forbids every change.
import { readFileSync } from "node:fs";

const bytes = readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url));
let calls = 0;
Error.prepareStackTrace = (error, sites) => `${++calls}: ${error.message}, ${sites.length > 0}`;
Error.stackTraceLimit = 3;

const { instance } = await WebAssembly.instantiate(bytes);
const { allocate, memory } = instance.exports;
allocate(5);
console.log(calls, memory.buffer.byteLength, Error.stackTraceLimit, new Error("mine").stack, calls);
Object.freeze(Error);
new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.allocate(6);
console.log(calls, memory.grow(0), Object.getOwnPropertyNames(Error).sort().join());
