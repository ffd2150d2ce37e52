// Passes texts and bytes from stdin through a guest, for a test of the Rust crate that compares the
// results with its own. usage: node both-hosts.js strings.wasm < given.json

import { readFileSync } from "node:fs";
import { cstrings } from "../src/strings.js";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const { memory, string_duplicate } = instance.exports;
const strings = cstrings(instance);

function readBack(bytes) {
  const block = strings.alloc(" ".repeat(bytes.length));
  new Uint8Array(memory.buffer).set(bytes, block.ptr);
  const text = strings.read(block.ptr);
  block.free();
  return text;
}

const given = JSON.parse(readFileSync(0, "utf8"));
const texts = given.texts.map((text) => strings.take(strings.with(text, string_duplicate)));
const bytes = given.bytes.map(readBack);
process.stdout.write(JSON.stringify({ texts, bytes }));
