// Reads a text through a view; "?leak" takes the view before the memory grows.
import { done } from "./done.js";

const { instance } = await WebAssembly.instantiateStreaming(fetch("guest.wasm"));
const { grow, memory } = instance.exports;
let view = new Uint8Array(memory.buffer);
grow(1);
if (location.search !== "?leak") view = new Uint8Array(memory.buffer);
new TextDecoder().decode(view.subarray(0, 16));
await done();
