// HDF5, in C, by Emscripten. Files have to be closed; "leak" forgets those that it reads.
import h5wasm from "h5wasm/node";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

await h5wasm.ready;
const directory = mkdtempSync(join(tmpdir(), "h5wasm-"));
const path = join(directory, "numbers.h5");

function write(length) {
  const file = new h5wasm.File(path, "w");
  file.create_dataset({ name: "numbers", data: Float32Array.from({ length }, (_, index) => index) });
  file.close();
}

function read() {
  const file = new h5wasm.File(path, "r");
  const numbers = file.get("numbers").value.length;
  if (process.argv[2] !== "leak") file.close();
  return numbers;
}

let numbers = 0;
for (let time = 1; time <= 20; time++) {
  write(10 * time);
  numbers += read();
  rmSync(path);
}
rmSync(directory, { recursive: true });
console.log(numbers);
