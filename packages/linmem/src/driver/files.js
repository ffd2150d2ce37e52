// Files that the library reads: recordings, which grow, and modules beside them.

import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { CommandError, about } from "../command/command-error.js";

// What stands beside recordings: modules with their SHA-256 as names.
const MODULE = /([0-9a-f]{64})\.wasm$/;

/** Lets the library read files, see library.js. */
export class Files {
  #open = [];

  open(path) {
    const [, digest] = MODULE.exec(path) ?? [];
    if (digest !== undefined) return this.#openModule(path, digest);
    this.#open.push({ path, descriptor: about(path, () => openSync(path, "r"), "cannot read "), at: 0 });
    return this.#open.length - 1;
  }

  #openModule(path, digest) {
    const contents = about(path, () => readFileSync(path), "cannot read ");
    if (createHash("sha256").update(contents).digest("hex") !== digest) throw new CommandError(`cannot read ${path}: its contents are not those that its name says; linmem's cache of modules is damaged, delete it`);
    return this.#open.push({ contents, at: 0 }) - 1;
  }

  read(number, bytes) {
    const file = this.#open[number];
    if (file.contents !== undefined) return this.#readModule(file, bytes);
    const count = about(file.path, () => readSync(file.descriptor, bytes, 0, bytes.length, file.at), "cannot read ");
    file.at += count;
    return count;
  }

  #readModule(file, bytes) {
    const part = file.contents.subarray(file.at, file.at + bytes.length);
    bytes.set(part);
    file.at += part.length;
    if (part.length === 0) file.contents = new Uint8Array(0);
    return part.length;
  }

  close() {
    for (const { descriptor } of this.#open.splice(0)) if (descriptor !== undefined) closeSync(descriptor);
  }
}
