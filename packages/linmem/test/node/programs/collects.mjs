// Instances that the program does not keep, and one that only its function keeps alive.
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const module = new WebAssembly.Module(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
const make = () => new WebAssembly.Instance(module).exports.allocate;

const kept = make();
kept(1);
for (let turn = 0; turn < 5; turn++) make()(2);
for (let turn = 0; turn < 5; turn++) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
}
kept(3);
