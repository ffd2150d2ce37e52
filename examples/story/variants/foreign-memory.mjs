// The host reads the size of a memory that it made itself and forgot to pass to the module.
import { long } from "../long.mjs";
import { createCString, instantiate } from "../strings.mjs";

const memory = new WebAssembly.Memory({ initial: 2 });
const strings = await instantiate();
const before = memory.buffer.byteLength;
createCString(strings, long, (pointer) => strings.count_as(pointer));
console.log(memory.buffer.byteLength === before);
