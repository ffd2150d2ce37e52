// Regular expressions, in C, by Emscripten. JavaScript reads the addresses of what was compiled out of the memory, and keeps
// them for later. Each search leaves some bytes behind, for which it has no function that frees them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import onigasm from "onigasm";

const { OnigScanner, loadWASM } = onigasm;
await loadWASM(readFileSync(createRequire(import.meta.url).resolve("onigasm/lib/onigasm.wasm")).buffer);

function words(line) {
  const scanner = new OnigScanner(["\\b(if|else)\\b", "[a-z]+", "\\d+"]);
  let [count, at] = [0, 0];
  for (let match; (match = scanner.findNextMatchSync(line, at)); count++) at = match.captureIndices[0].end;
  return count;
}

let count = 0;
for (let number = 0; number < 60; number++) count += words(`if foo 12 else bar${number}`);
console.log(count);
