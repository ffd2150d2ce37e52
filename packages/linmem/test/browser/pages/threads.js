// A memory that a worker shares; this page and the worker allocate in it, and free that or not.
import { done } from "./done.js";

const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
const module = await WebAssembly.compileStreaming(fetch("shared.wasm"));
const { text, free } = new WebAssembly.Instance(module, { host: { memory } }).exports;
for (let time = 0; time < 20; time++) free(text());
const worker = new Worker(`thread.js${location.search}`);
worker.onmessage = done;
worker.postMessage([module, memory]);
