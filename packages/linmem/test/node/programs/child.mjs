// A child process of the same program works too.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const bytes = readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url));
const { instance } = await WebAssembly.instantiate(bytes);
instance.exports.allocate(process.argv.length);
if (process.argv.length === 2) {
  const { status, stdout } = spawnSync(process.execPath, [process.argv[1], "child"], { encoding: "utf8" });
  console.log(status, stdout);
} else {
  console.log("child");
  process.exitCode = 3;
}
