// Brotli, in Rust compiled for size, by wasm-bindgen: names are gone, and the smallest methods of the allocator are calls. Streams
// have to be freed; "leak" forgets to.
import { createRequire } from "node:module";

const brotli = await createRequire(import.meta.url)("brotli-wasm");
const text = Buffer.from("what WebAssembly memory is really doing ".repeat(100));
const free = (stream) => process.argv[2] !== "leak" && stream.free();

function roundTrip() {
  const packed = brotli.compress(text, { quality: 5 });
  const compressing = new brotli.CompressStream(5);
  const result = compressing.compress(text, 10_000);
  const decompressing = new brotli.DecompressStream();
  const output = decompressing.decompress(packed, 10_000);
  const bytes = result.buf.length + output.buf.length;
  for (const made of [result, output]) made.free();
  for (const stream of [compressing, decompressing]) free(stream);
  return bytes;
}

let bytes = 0;
for (let time = 0; time < 20; time++) bytes += roundTrip();
console.log(bytes);
