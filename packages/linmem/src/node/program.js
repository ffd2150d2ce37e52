// Finds the linmem program, and runs it. On Windows a program's name ends with one of PATHEXT, and `.cmd` and
// `.bat` files need a shell, which expands a `%NAME%` in a path (nothing was run on Windows so far).

import * as childProcess from "node:child_process";
import * as fs from "node:fs";
import * as paths from "node:path";

// A program may replace them.
const { accessSync, constants, statSync } = fs;
const { spawnSync } = childProcess;

const NAME = "linmem";
const USUAL_EXTENSIONS = ".COM;.EXE;.BAT;.CMD";

/** The paths that may be the program, the first choice first: the one given in LINMEM_PROGRAM, else those in PATH. */
export function candidates({ LINMEM_PROGRAM, PATH = "", PATHEXT }, platform = process.platform) {
  const { delimiter, join } = platform === "win32" ? paths.win32 : paths.posix;
  const folders = PATH.split(delimiter).map((folder) => folder.replace(/^"(.*)"$/, "$1")).filter(Boolean);
  const named = LINMEM_PROGRAM ? [LINMEM_PROGRAM] : folders.map((folder) => join(folder, NAME));
  if (platform !== "win32") return named;
  const extensions = (PATHEXT || USUAL_EXTENSIONS).split(";").filter(Boolean);
  return named.flatMap((path) => (hasExtension(path, extensions) ? [path] : extensions.map((extension) => path + extension)));
}

const hasExtension = (path, extensions) => extensions.some((extension) => path.toLowerCase().endsWith(extension.toLowerCase()));

/** The program; undefined if there is none. */
export const findProgram = (env) => candidates(env).find(isProgram);

// On Windows X_OK only asks whether there is such a file: its extension says that it can run.
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What to spawn for a program and its arguments: `{ file, args, options }`. */
export function commandOf(program, args, platform = process.platform) {
  if (platform !== "win32" || !/\.(cmd|bat)$/i.test(program)) return { file: program, args, options: {} };
  return { file: [program, ...args].map(quoted).join(" "), args: [], options: { shell: true } };
}

const quoted = (word) => `"${word.replaceAll('"', '""')}"`;

/** Runs the program to its end; throws the first line that it says when it fails. */
export function runProgram(program, args) {
  const { file, args: words, options } = commandOf(program, args);
  const { error, status, stderr } = spawnSync(file, words, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"], ...options });
  if (error) throw error;
  if (status === 0) return;
  const [line] = stderr.trim().split(/\r?\n/);
  throw new Error(line.replace(/^linmem: /, "") || `linmem ended with ${status}`);
}
