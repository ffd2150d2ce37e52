// Rust, by wasm-bindgen and without names. Its pictures have to be freed; "leak" forgets what `new Resvg` and `render`
// made.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Resvg, initWasm } from "@resvg/resvg-wasm";

await initWasm(readFileSync(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm")));
const text = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400"><circle cx="200" cy="200" r="150"/></svg>';
let pixels = 0;
for (let time = 0; time < 20; time++) {
  const picture = new Resvg(text);
  const image = picture.render();
  pixels += image.width * image.height;
  if (process.argv[2] === "leak") continue;
  image.free();
  picture.free();
}
console.log(pixels);
