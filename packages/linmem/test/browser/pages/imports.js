// A module worker: blocks of a small module, which have to be freed; "?leak" forgets them.
import { done } from "./done.js";

const { instance } = await WebAssembly.instantiateStreaming(fetch("guest.wasm"));
for (let time = 0; time < 20; time++) {
  const block = instance.exports.text();
  if (location.search !== "?leak") instance.exports.free(block);
}
postMessage(typeof done);
