// Recordings in files.

import { closeSync, mkdirSync, openSync, readSync, readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { CommandError, about } from "../command/command-error.js";

/** The paths of the recordings in a directory. */
export function recordingsIn(directory) {
  const names = about(directory, () => readdirSync(directory), "cannot read ");
  return names.filter((name) => name.endsWith(".trace")).map((name) => join(directory, name));
}

/** Where a command has its recordings made: in the directory that the user names, or below `scratch`. */
export function directoryForTraces(directory, scratch) {
  const path = resolve(directory ?? join(scratch, "traces"));
  about(path, () => mkdirSync(path, { recursive: true }), "cannot make the directory ");
  if (recordingsIn(path).length > 0) throw new CommandError(`${path} has recordings already: name another directory`);
  return realpathSync(path);
}

/** Lets the library read files, see library.js. */
export class Files {
  #open = [];

  open(path) {
    this.#open.push({ path, descriptor: about(path, () => openSync(path, "r"), "cannot read "), at: 0 });
    return this.#open.length - 1;
  }

  read(number, bytes) {
    const file = this.#open[number];
    const count = about(file.path, () => readSync(file.descriptor, bytes, 0, bytes.length, file.at), "cannot read ");
    file.at += count;
    return count;
  }

  close() {
    for (const { descriptor } of this.#open.splice(0)) closeSync(descriptor);
  }
}
