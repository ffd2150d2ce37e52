// Runs a WASI program: node wasi.mjs program.wasm root args...
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { WASI } from "node:wasi";

const [file, root, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [basename(file), ...args], preopens: { "/": root } });
const { instance } = await WebAssembly.instantiate(readFileSync(file), wasi.getImportObject());
process.exitCode = wasi.start(instance);
