// The README's first example in a project that has nothing but the packed package.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The example, after `load`, which says what `bytes` are: those of guests/libc.c. */
export function example(load) {
  const [, source] = /```js\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8"));
  return source.replace("\n\n", `\n${load}\n`);
}

/** What it prints. */
export const EXAMPLE_LINES = ["6", "6 naïve"];

/** An empty project with the package from its tarball: the names of the packed files, `run` in it, and how to remove it. */
export function installPacked() {
  const directory = mkdtempSync(join(tmpdir(), "linmem-"));
  const run = (command, ...values) => execFileSync(command, values, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [{ filename, files }] = JSON.parse(run("npm", "pack", "--json", "--pack-destination", directory, root));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  run("npm", "install", "--offline", "--no-audit", "--no-fund", join(directory, filename));
  return { directory, filename, files: files.map(({ path }) => path), run, remove: () => rmSync(directory, { recursive: true }) };
}
