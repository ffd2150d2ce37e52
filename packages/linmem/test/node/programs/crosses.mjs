// Blocks whose addresses come to the program in every way, and one that gets lost.
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/crosses.wasm`));
const kept = [];
const { exports } = new WebAssembly.Instance(module, { host: { keep: (pointer) => kept.push(pointer) } });
const { free, give, lose, make, memory, put, size, use } = exports;

const made = [make(), make(), make()];
free(made[0]);
lose();
give();

const PLACE = 64;
const words = new Int32Array(memory.buffer);
put(PLACE);
const pointer = words[PLACE / 4];
words[PLACE / 4] = 0;
use(0, 0, 0.5, 0, 0, pointer);
console.log(made, kept, pointer, size());
