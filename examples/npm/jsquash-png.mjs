// Rust and wasm-bindgen, stripped. Encodes an image and decodes it again.
import { readFileSync } from "node:fs";
import decode, { init as initDecoder } from "@jsquash/png/decode.js";
import encode, { init as initEncoder } from "@jsquash/png/encode.js";

globalThis.ImageData ??= class ImageData {
  constructor(data, width, height) {
    Object.assign(this, { data, width, height });
  }
};

const [width, height] = [64, 48];
const data = new Uint8ClampedArray(width * height * 4).map((_, byte) => (byte % 4 === 3 ? 255 : byte * 7));
const module = new WebAssembly.Module(readFileSync(new URL("node_modules/@jsquash/png/codec/pkg/squoosh_png_bg.wasm", import.meta.url)));
await Promise.all([initEncoder(module), initDecoder(module)]);
for (let time = 0; time < 8; time++) {
  const decoded = await decode(await encode(new ImageData(data, width, height)));
  if (decoded.data.some((value, byte) => value !== data[byte])) throw new Error("it is another image");
}
console.log(`${width} by ${height}`);
