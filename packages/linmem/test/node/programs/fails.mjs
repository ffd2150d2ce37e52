// Allocations that fail, with writes to low memory before and after.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(`${process.env.GUESTS}/fails.wasm`));
const { calloc, fails, free, malloc, poke, realloc } = instance.exports;

const WAYS = {
  // The module writes to its own low memory; then a reallocation fails, which the program notices.
  realloc() {
    poke(8, 1);
    const block = malloc(100);
    fails.value = 1;
    if (realloc(block, 200) === 0) free(block);
  },
  // It writes between two failures, to where it also wrote before.
  twice() {
    const block = malloc(100);
    poke(0, 1);
    poke(9, 1);
    fails.value = 1;
    if (realloc(block, 200) === 0 && realloc(block, 150) === 0) free(block);
  },
  calloc() {
    poke(16, 1);
    fails.value = 1;
    if (calloc(10, 20) !== 0) throw new Error("calloc did not fail");
  },
  malloc() {
    poke(1000, 1);
    fails.value = 1;
    if (malloc(100) !== 0) throw new Error("malloc did not fail");
  },
  // A reallocation fails after one that did not, and the block stays in use.
  kept() {
    const block = realloc(malloc(10), 20);
    poke(4, 1);
    fails.value = 1;
    if (realloc(block, 30) === 0) poke(block, 7);
    free(block);
  },
  reallocIgnored() {
    poke(8, 1);
    const block = malloc(100);
    fails.value = 1;
    poke(realloc(block, 200), 7);
  },
  callocIgnored() {
    fails.value = 1;
    poke(calloc(10, 20) + 3, 7);
  },
  // Only the snapshot sees it.
  reallocIgnoredLate() {
    const block = malloc(100);
    fails.value = 1;
    const moved = realloc(block, 200);
    free(block);
    poke(moved + 12, 7);
  },
};

WAYS[process.argv[2]]();
