// Under a strict policy: blocks of a small module, which have to be freed; "?leak" forgets them.
import { done } from "./done.js";

const { instance } = await WebAssembly.instantiateStreaming(fetch("guest.wasm"));
const take = () => instance.exports.text();
for (let time = 0; time < 20; time++) {
  const block = take();
  if (location.search !== "?leak") instance.exports.free(block);
}
await done();
