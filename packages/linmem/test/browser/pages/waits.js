// Shares a memory with a worker, which allocates in it, tells that, and waits for ever then.
import { done } from "./done.js";

const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
const module = await WebAssembly.compileStreaming(fetch("shared.wasm"));
const worker = new Worker(`waits-thread.js${location.search}`);
worker.onmessage = done;
worker.postMessage([module, memory]);
