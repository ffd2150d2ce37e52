// Modules of the programs in this folder; ../../case-guests.js has their texts.
import { readFileSync } from "node:fs";

export const load = (name) => new WebAssembly.Module(readFileSync(`${process.env.GUESTS}/${name}.wasm`));

/** The exports of a new instance. */
export const start = (name, imports) => new WebAssembly.Instance(load(name), imports).exports;
