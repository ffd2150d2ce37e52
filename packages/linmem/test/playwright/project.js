// A project of Playwright's in a directory of its own, and a run of its tests.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const CLI = path("../../node_modules/@playwright/test/cli.js");

/** `files` are the contents of the tests' files by their names; `use` is what the configuration says of the browser. */
export function makeProject(files, use) {
  const directory = mkdtempSync(join(tmpdir(), "linmem-playwright-"));
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(path("../../"), join(directory, "node_modules/linmem"), "dir");
  symlinkSync(path("../../node_modules/@playwright"), join(directory, "node_modules/@playwright"), "dir");
  const config = { workers: 1, reporter: [["line"], ["json", { outputFile: "results.json" }]], use };
  const all = { ...files, "package.json": '{ "type": "module" }', "playwright.config.js": `export default ${JSON.stringify(config)};` };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(directory, name), text);
  return {
    remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),

    /** Runs its tests: `{ output, results }`, the result of each test by its title. */
    async run(env) {
      const child = spawn(process.execPath, [CLI, "test"], { cwd: directory, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
      await new Promise((resolve) => child.on("close", resolve));
      return { output, results: new Map(resultsIn(JSON.parse(readFileSync(join(directory, "results.json"), "utf8")))) };
    },
  };
}

const resultsIn = ({ suites = [], specs = [] }) => [...specs.map(({ title, tests }) => [title, tests[0].results[0]]), ...suites.flatMap(resultsIn)];
