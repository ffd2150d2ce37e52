#!/usr/bin/env node
// The `linmem` command: one file per subcommand. What they do is in the library.

import { readFileSync } from "node:fs";
import { CommandError } from "./command-error.js";
import { escaped } from "../driver/lines.js";

const HELP = `What WebAssembly memory is really doing: leaks, misuse, failed allocations and growth of WebAssembly
modules, unmodified, with source lines

Usage: linmem COMMAND

Commands:
  node        Run a Node program and report what the memories of its WebAssembly instances did
  browser     Open a page in Chromium and report what the memories of its WebAssembly instances did
  report      Report on a run that was recorded with \`linmem node --traces\`
  inspect     Show what is in a module, without running it
  instrument  Write the instrumented module

linmem COMMAND --help says more. The commands run, call and check, for modules without JavaScript, are those of the
native program: cargo install linmem-cli
`;

const COMMANDS = {
  node: () => import("./run-node.js"),
  browser: () => import("./run-browser.js"),
  report: () => import("./report.js"),
  inspect: () => import("./inspect.js"),
  instrument: () => import("./instrument-file.js"),
};
const NAMES = Object.keys(COMMANDS);
const NATIVE = ["run", "call", "check"];

// What a command that was not understood, or that could not be done, exits with.
const FAILED = 2;

main(process.argv.slice(2)).catch(failed).then(exit);

// When what was written is out. Node itself would wait for the engine, which compiles functions of the library for later.
function exit(code) {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

async function main([name, ...words]) {
  if (NAMES.includes(name)) {
    const { run } = await COMMANDS[name]();
    return run(words);
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return print(HELP, name === undefined ? FAILED : 0);
  if (name === "--version" || name === "-V") return print(`linmem ${version()}\n`, 0);
  if (NATIVE.includes(name)) throw new CommandError(`\`linmem ${name}\` is a command of the native program, which runs modules without JavaScript: cargo install linmem-cli`);
  throw new CommandError(`there is no command ${name}: the commands are ${NAMES.join(", ")} (see linmem --help)`);
}

function failed(error) {
  // A name from a module cannot send commands to the terminal.
  const words = error instanceof CommandError ? error.message : (error.stack ?? String(error));
  process.stderr.write(`linmem: ${words.split("\n").map(escaped).join("\n")}\n`);
  return FAILED;
}

function print(text, code) {
  (code === 0 ? process.stdout : process.stderr).write(text);
  return code;
}

function version() {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
