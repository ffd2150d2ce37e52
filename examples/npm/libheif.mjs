// Pictures in C++, by Emscripten's embind and with minified names. A decoder's context has to be freed, even if the file
// is refused; "leak" does not.
import libheif from "libheif-js/wasm-bundle.js";

const noPicture = new TextEncoder().encode("no picture, but a text");
let pictures = 0;
for (let time = 0; time < 20; time++) {
  const decoder = new libheif.HeifDecoder();
  pictures += decoder.decode(noPicture).length;
  if (process.argv[2] !== "leak") libheif.heif_context_free(decoder.decoder);
}
console.log(pictures);
