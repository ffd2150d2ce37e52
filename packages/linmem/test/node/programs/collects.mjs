// Instances that the program does not keep, and one that only its function keeps alive: so many, with memories of so many pages.
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const module = new WebAssembly.Module(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const [instances = "5", pages = "2"] = process.argv.slice(2);

function make() {
  const { allocate, memory } = new WebAssembly.Instance(module).exports;
  if (memory.buffer.byteLength < pages * 65536) memory.grow(pages - memory.buffer.byteLength / 65536);
  return allocate;
}

const kept = make();
kept(1);
for (let turn = 0; turn < instances; turn++) make()(2);
for (let turn = 0; turn < 5; turn++) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
}
kept(3);
