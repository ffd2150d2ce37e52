// The linmem library of this package, dist/linmem.wasm.

import * as fs from "node:fs";
import { compile } from "../record/engine.js";
import { Library } from "../library/library.js";
import { doneLate } from "./done-late.js";

// A program may replace them.
const { existsSync, readFileSync } = fs;

/** Where it is. */
export const LIBRARY = new URL("../../dist/linmem.wasm", import.meta.url);
const HASH = new URL("../../dist/linmem.wasm.sha256", import.meta.url);

let library;

/** The library, which is compiled the first time that it is asked for. */
export const theLibrary = () => (library ??= new Library(doneLate(() => compile(readFileSync(LIBRARY)))));

/** Stands for its content; undefined if there is none, in a checkout without `npm run build`. */
export const libraryVersion = () => (existsSync(HASH) ? readFileSync(HASH, "latin1").trim() : undefined);
