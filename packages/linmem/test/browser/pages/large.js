// Asks a large module for its custom sections, as Emscripten does where modules are linked at run time, and then uses it;
// "?leak" forgets blocks.
import { done } from "./done.js";

const { module, instance } = await WebAssembly.instantiateStreaming(fetch("large.wasm"));
const lengthsOf = (name) => WebAssembly.Module.customSections(module, name).map(({ byteLength }) => byteLength).join();
const lengths = ["question", "none"].map(lengthsOf);
if (lengths.join(" ") !== "6 ") throw new Error(lengths.join(" "));

const { text, free } = instance.exports;
for (let time = 0; time < 20; time++) {
  const block = text();
  if (location.search !== "?leak") free(block);
}
done();
