// Recordings in files.

import { mkdirSync, readdirSync, realpathSync } from "node:fs";
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
