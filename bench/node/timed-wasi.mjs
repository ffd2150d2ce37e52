// Runs a WASI program as wasi.mjs does, and prints how long its own code took: the CPU time of the thread, in nanoseconds. What
// `wasm-opt --safe-heap` lets a module import is there too.
// usage: node timed-wasi.mjs program.wasm root args...
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { WASI } from "node:wasi";

const [file, root, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [basename(file), ...args], preopens: { "/": root } });
// Where the end of the heap is kept, for safe-heap to compare with: in memory that these modules leave empty.
const SBRK = 1016;
const fault = (what) => () => {
  throw new Error(what);
};
const env = { emscripten_get_sbrk_ptr: () => SBRK, segfault: fault("segfault"), alignfault: fault("alignfault") };
const { instance } = await WebAssembly.instantiate(readFileSync(file), { ...wasi.getImportObject(), env });
new DataView(instance.exports.memory.buffer).setUint32(SBRK, 0xffff_0000, true);
const before = process.threadCpuUsage();
process.exitCode = wasi.start(instance);
const { user, system } = process.threadCpuUsage(before);
console.error(`cpu ${(user + system) * 1000}`);
