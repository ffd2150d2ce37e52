// A memory that a worker shares; this page and the worker allocate in it.
import { done } from "./done.js";

const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
const module = await WebAssembly.compileStreaming(fetch("shared.wasm"));
const { text } = new WebAssembly.Instance(module, { host: { memory } }).exports;
for (let time = 0; time < 20; time++) text();
const worker = new Worker("thread.js");
worker.onmessage = done;
worker.postMessage([module, memory]);
