// What a host does around a module: sizes, growths, stale views, a write through NULL, instances that come and go.
import { readFileSync } from "node:fs";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
const module = new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/imports.wasm`));
const { exports } = new WebAssembly.Instance(module, { host: { memory, limit: 1 } });
new WebAssembly.Instance(module, { host: { memory, limit: 1 } });

function readSize() {
  return memory.buffer.byteLength;
}

const early = new Uint8Array(memory.buffer);
readSize();
memory.grow(0);
memory.grow(1);
try {
  memory.grow(1);
} catch {
  // Refused, as it must be.
}
new TextDecoder().decode(early);
early.buffer.byteLength;
const pointer = exports.malloc(131072);
new Uint8Array(memory.buffer).fill(1, pointer, pointer + 100);
exports.free(pointer);
Buffer.from(memory.buffer, 0, 8).fill(1);
