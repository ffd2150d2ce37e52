// `linmem node`: run a Node program with every WebAssembly instance in it under observation. This thread reads what is
// recorded meanwhile, in parts, between which it hears of Ctrl-C and of the end.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { directoryForTraces } from "../driver/recordings.js";
import { exitCodeOf, textOf } from "../driver/report-text.js";
import { ALLOCATOR, ALLOCATOR_HELP, OUTPUT, OUTPUT_HELP, allocatorOptions, read, splitAtCommand } from "./arguments.js";
import { CommandError } from "./command-error.js";
import { Output } from "./output.js";

const HELP = `Run a Node program and report what the memories of its WebAssembly instances did

Usage: linmem node [OPTIONS] <COMMAND>...

  <COMMAND>...  A script for node, or a command that starts node, with its arguments

Checks:
      --check               Check each read and write of memory: of freed blocks, past the end of blocks, near NULL
      --redzone <BYTES>     Bytes behind each block in which accesses are found [default: 16]
      --quarantine <BYTES>  Keep freed blocks from reuse, up to this many bytes [default: 16777216]
      --stop-at-first       Stop the program at the first access that is not right

Program:
      --collect             Collect garbage and let finalizers run before a program ends, so that they are judged too
      --traces <DIRECTORY>  Keep the recordings in this directory, one for each process and thread

${OUTPUT_HELP}
${ALLOCATOR_HELP}
linmem node test.mjs --fast           runs node test.mjs --fast
linmem node -- npx mocha test/*.js    runs any command; all node processes in it are watched

Exit code: the program's own if it is not 0; else 1 when an error was found, and 2 when linmem could not do its job.
`;

const CHECKS = { check: { type: "boolean" }, "stop-at-first": { type: "boolean" }, redzone: { type: "string", default: "16" }, quarantine: { type: "string", default: "16777216" } };

const OPTIONS = { ...CHECKS, collect: { type: "boolean" }, traces: { type: "string" }, ...OUTPUT, ...ALLOCATOR };

// The recorder: CommonJS in dist, and in src ES modules, which older versions of Node can only import.
const PRELOAD = fileURLToPath(new URL("../node/preload.cjs", import.meta.url));
const MODULES = new URL("../node.js", import.meta.url);

// As early as node can, and for older versions as early as these can. NODE_OPTIONS has quotes of its own.
const REQUIRES = `--require="${PRELOAD.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
const LOADS_RECORDER = existsSync(MODULES) ? `${REQUIRES} --import=${MODULES.href}` : REQUIRES;

// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED = 130;

// Most programs have stopped by then.
const PATIENCE = 1000;

export async function run(words) {
  const [own, command] = splitAtCommand(words, OPTIONS);
  const parsed = read(own, OPTIONS, HELP, { least: 0, most: 0 });
  if (parsed === undefined) return 0;
  if (command.length === 0) throw new CommandError("which program? (see --help)");
  const output = new Output(parsed.values);
  const scratch = mkdtempSync(join(tmpdir(), "linmem-"));
  try {
    const traces = directoryForTraces(parsed.values.traces, scratch);
    const running = ended(command, environment(parsed.values, traces));
    // It may fail to start while nothing waits for it yet.
    running.catch(() => {});
    const { FollowingHere } = await import("./following-here.js");
    const following = new FollowingHere(traces, { hotSites: output.hotSites, collected: parsed.values.collect });
    const code = await running.finally(() => following.stop());
    const report = following.finish(output.color);
    output.write({ ...report, text: textOf(report, "program") });
    return code !== 0 ? code : exitCodeOf(report);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function environment(values, traces) {
  const { LINMEM_PROGRAM, LINMEM_COLLECT, LINMEM_STOP_AT_FIRST, ...env } = process.env;
  return {
    ...env,
    NODE_OPTIONS: `${LOADS_RECORDER} ${env.NODE_OPTIONS ?? ""}`.trim(),
    LINMEM_TRACE_DIR: traces,
    LINMEM_MODULES_BESIDE: values.traces === undefined ? "1" : "",
    LINMEM_INSTRUMENT_OPTIONS: JSON.stringify([...allocatorOptions(values), ...checkOptions(values)]),
    ...(values.collect && { LINMEM_COLLECT: "1" }),
    ...(values.check && values["stop-at-first"] && { LINMEM_STOP_AT_FIRST: "1" }),
  };
}

function checkOptions({ check, redzone, quarantine }) {
  if (!check) return [];
  if (!isWithin(redzone, 1, 4096)) throw new CommandError("--redzone takes 1 to 4096 bytes");
  if (!isWithin(quarantine, 0, Number.MAX_SAFE_INTEGER)) throw new CommandError("--quarantine takes a number of bytes");
  return ["--check", "--redzone", redzone, "--quarantine", quarantine];
}

const isWithin = (text, least, most) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;

/** Runs a command; returns its exit code. */
function ended(command, env) {
  const [file, ...args] = isScript(command[0]) ? [process.execPath, ...command] : command;
  // On Windows a command can be a script of the shell (`npx.cmd`).
  const shell = process.platform === "win32" && file !== process.execPath;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: "inherit", shell });
    const stopListening = onInterrupt();
    child.on("error", (error) => reject(new CommandError(`cannot run ${file}: ${error.code === "ENOENT" ? "there is no such program" : error.message}`)));
    child.on("exit", (code, signal) => {
      stopListening();
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

const isScript = (word) => /\.[cm]?[jt]s$/.test(word);

// The program has the signal too, and does with it what it does without linmem.
function onInterrupt() {
  let isAgain = false;
  const listen = () => {
    if (isAgain) process.exit(INTERRUPTED);
    isAgain = true;
    setTimeout(() => process.stderr.write("linmem: the program still runs; Ctrl-C again ends it without a report\n"), PATIENCE).unref();
  };
  process.on("SIGINT", listen);
  return () => process.off("SIGINT", listen);
}
