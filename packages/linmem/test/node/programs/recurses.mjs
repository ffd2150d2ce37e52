// Runs out of stack, from different depths, and goes on.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(`${process.env.GUESTS}/recurses.wasm`));

function attempt(depth) {
  if (depth > 0) return attempt(depth - 1);
  try {
    return instance.exports.recurse();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

for (let depth = 0; depth < 60; depth++) console.log(attempt(depth));
