// A worker gets a compiled module, and makes an instance of it.
import { readFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const run = (module, size) => new WebAssembly.Instance(module).exports.allocate(size);

if (isMainThread) {
  const module = new WebAssembly.Module(readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url)));
  run(module, 10);
  const worker = new Worker(new URL(import.meta.url), { workerData: { module } });
  worker.on("message", (message) => console.log("message", message));
  worker.on("exit", (code) => console.log("exit", code));
} else {
  const { module } = workerData;
  console.log(module instanceof WebAssembly.Module, WebAssembly.Module.imports(module), WebAssembly.Module.exports(module).length);
  run(module, 20);
  run(module, 30);
  parentPort.postMessage({ module });
}
