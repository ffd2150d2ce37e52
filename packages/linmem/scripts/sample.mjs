// What a sample recording is made of: a guest in which much of what linmem looks for happens once.

import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../test/guests/libc.wasm", import.meta.url)));
const { malloc, realloc, free, memory } = instance.exports;

const kept = [16, 100, 3000].map((bytes) => malloc(bytes));
const lost = malloc(24);
for (let time = 0; time < 20; time++) free(malloc(64));
kept[0] = realloc(kept[0], 200000);
free(kept[1]);
free(kept[1]);
new Uint32Array(memory.buffer)[lost / 4] = kept[2];
