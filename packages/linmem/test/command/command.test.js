// The package's command: the same reports as the native program's, without it.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inLines } from "../../src/driver/lines.js";
import { PROGRAM } from "../node/support.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "linmem-command-"));
after(() => rmSync(directory, { recursive: true }));

// As it is in the package, and as ES modules, which are its source.
const COMMAND = path("../../dist/command/main.cjs");
const SOURCE = path("../../src/command/main.js");
const leaks = path("../../../../examples/leaks.wasm");

// No native program can be found, nor another recorder.
const env = { ...process.env, PATH: join(process.execPath, ".."), LINMEM_CACHE_DIR: join(directory, "cache"), LINMEM_PROGRAM: undefined, NODE_OPTIONS: "" };

const run = (file, words, options = {}) => spawnSync(file, words, { encoding: "utf8", cwd: directory, env, ...options });
const linmem = (...words) => run(process.execPath, [COMMAND, ...words]);
const outcome = ({ status, signal, stdout, stderr }) => ({ status, signal, stdout, stderr });
const native = (...words) => run(PROGRAM, words);

const wat = async (text) => {
  const { default: wabt } = await import("wabt");
  return (await wabt()).parseWat("guest.wat", text).toBinary({ write_debug_names: true }).buffer;
};

writeFileSync(
  join(directory, "guest.wasm"),
  await wat(`(module (memory (export "memory") 1) (global $next (mut i32) (i32.const 4096))
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
    (func $free (export "free") (param i32))
    (func (export "text") (result i32) (call $malloc (i32.const 100))))`),
);

writeFileSync(
  join(directory, "leak.mjs"),
  `import { readFileSync } from "node:fs";
const { instance } = await WebAssembly.instantiate(readFileSync("guest.wasm"));
const { text, free } = instance.exports;
for (let time = 0; time < 20; time++) text(); // leaks
if (process.argv[2] === "twice") { const block = text(); free(block); free(block); }
process.exitCode = Number(process.argv[3] ?? 0);
console.log("done", process.argv.slice(2).join(" "));
`,
);

test("the report is that of the native program", () => {
  const [ours, theirs] = [linmem("node", "--json", "ours.json", "leak.mjs"), native("node", "--json", "theirs.json", "leak.mjs")];
  assert.deepEqual([ours.status, ours.stdout], [0, "done \n"]);
  assert.deepEqual(ours, { ...theirs, pid: ours.pid });
  assert.match(ours.stderr, /^linmem: guest|^linmem: wasm-/);
  assert.match(ours.stderr, /never given back: the host got 20 blocks from `text` and freed 0 \(allocated at leak\.mjs:4\)/);
  const [a, b] = ["ours.json", "theirs.json"].map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")));
  delete a.report.micros;
  delete b.report.micros;
  assert.deepEqual(a, b);
});

test("the command and the recorder in the package do what their sources do", () => {
  for (const words of [["node", "leak.mjs"], ["node", "leak.mjs", "twice", "7"], ["node", "-q", "--", "none"], ["inspect", "guest.wasm"], ["report", "none"], ["--help"], ["--version"], ["what"]]) {
    const [packed, source] = [COMMAND, SOURCE].map((file) => run(process.execPath, [file, ...words]));
    assert.deepEqual(outcome(packed), outcome(source));
  }
});

test("node says of a program what it says without linmem", () => {
  const [watched, plain] = [linmem("node", "none.mjs"), run(process.execPath, ["none.mjs"])];
  assert.deepEqual(outcome(watched), { ...outcome(plain), stderr: `${plain.stderr}linmem: the program made no WebAssembly instance to watch\n` });
});

test("the sample that the command practises on is a recording in which much happened", () => {
  const { status, stderr } = linmem("report", path("../../dist/sample.trace"));
  assert.equal(status, 0);
  for (const said of [/double-free/, /leak-host-held/, /grown by/, /kept by/, /most temporary/]) assert.match(stderr, said);
});

test("an error is exit code 1, unless the program has one of its own", () => {
  assert.equal(linmem("node", "-q", "leak.mjs", "twice").status, 1);
  assert.equal(linmem("node", "-q", "leak.mjs", "twice", "7").status, 7);
  assert.equal(linmem("node", "--quiet", "leak.mjs", "once", "0").status, 0);
});

test("what comes after the program is the program's", () => {
  assert.equal(linmem("node", "-q", "leak.mjs", "--json", "3").stdout, "done --json 3\n");
  assert.equal(linmem("node", "--top", "1", "-q", "--", "node", "leak.mjs", "-q").stdout, "done -q\n");
  const shell = linmem("node", "-q", "--", "/bin/sh", "-c", "node leak.mjs a; node leak.mjs b");
  assert.equal(shell.stdout, "done a\ndone b\n");
});

test("recordings can be kept, and reported on again", () => {
  const { stderr } = linmem("node", "--traces", "kept", "leak.mjs");
  assert.equal(readdirSync(join(directory, "kept")).length, 1);
  for (const what of ["kept", join("kept", readdirSync(join(directory, "kept"))[0])]) {
    const again = linmem("report", what);
    assert.deepEqual([again.status, again.stderr], [0, stderr]);
    assert.deepEqual(native("report", what).stderr, stderr);
  }
  assert.match(linmem("node", "--traces", "kept", "leak.mjs").stderr, /^linmem: .*kept has recordings already: name another directory\n$/);
});

test("--output, --json and --quiet say where the report goes", () => {
  const { stdout, stderr } = linmem("node", "-o", "report.txt", "--json", "-", "leak.mjs");
  assert.equal(stderr, "");
  assert.equal(JSON.parse(stdout.slice(stdout.indexOf("{"))).format, "linmem-report");
  assert.match(readFileSync(join(directory, "report.txt"), "utf8"), /leak-host-held/);
  assert.match(linmem("node", "--color", "always", "leak.mjs").stderr, /\u001b\[/);
  assert.doesNotMatch(linmem("node", "leak.mjs").stderr, /\u001b/);
});

test("inspect and instrument do what the native program does", () => {
  assert.equal(linmem("inspect", leaks).stdout, native("inspect", leaks).stdout);
  assert.equal(linmem("instrument", leaks, "-o", "a.wasm", "--map", "a.json").status, 0);
  native("instrument", leaks, "-o", "b.wasm", "--map", "b.json");
  const [a, b] = ["a", "b"].map((name) => ["wasm", "json"].map((extension) => readFileSync(join(directory, `${name}.${extension}`))));
  assert.deepEqual(a, b);
  assert.equal(linmem("inspect", "--malloc", "main", leaks).stdout, native("inspect", "--malloc", "main", leaks).stdout);
});

test("a program without WebAssembly is said to have none", () => {
  writeFileSync(join(directory, "none.mjs"), "");
  const { status, stderr } = linmem("node", "--json", "none.json", "none.mjs");
  assert.deepEqual([status, stderr], [0, "linmem: the program made no WebAssembly instance to watch\n"]);
  assert.deepEqual(JSON.parse(readFileSync(join(directory, "none.json"))).report.instances, []);
});

test("a program whose only module could not be watched fails", () => {
  const linked = [0, 97, 115, 109, 1, 0, 0, 0, 2, 22, 1, 3, 101, 110, 118, 13, ...Buffer.from("__memory_base"), 3, 127, 0, 5, 3, 1, 0, 1];
  writeFileSync(join(directory, "linked.mjs"), `new WebAssembly.Module(Uint8Array.of(${linked}));`);
  const { status, stderr } = linmem("node", "--check", "linked.mjs");
  assert.equal(status, 2);
  assert.match(stderr, /^linmem: nothing was watched, so nothing is known of the program\nmodule wasm-.* is not watched: .*\n$/m);
});

const MISTAKES = {
  "no such command": [["rnu"], /^linmem: there is no command rnu: the commands are node, browser, report, inspect, instrument \(see linmem --help\)\n$/],
  "a command of the native program": [["run", "a.wasm"], /^linmem: `linmem run` is a command of the native program.*cargo install linmem-cli\n$/],
  "an unknown option": [["node", "--tob", "3", "leak.mjs"], /^linmem: Unknown option '--tob' \(see --help\)\n$/],
  "no program": [["node"], /^linmem: which program\? \(see --help\)\n$/],
  "a program that is not there": [["node", "nothing-of-this-name"], /^linmem: cannot run nothing-of-this-name: there is no such program\n$/],
  "no number": [["node", "--top", "x", "leak.mjs"], /^linmem: --top: x is not a number\n$/],
  "no colour": [["node", "--color", "red", "leak.mjs"], /^linmem: --color: red is not auto, always or never\n$/],
  "a file that is not there": [["inspect", "none.wasm"], /^linmem: cannot read none\.wasm: no such file or directory\n$/],
  "no module": [["inspect", "leak.mjs"], /^linmem: leak\.mjs: .*magic/],
  "no trace": [["report", "leak.mjs"], /^linmem: leak\.mjs: not a linmem trace/],
  "no recordings": [["report", "empty"], /^linmem: empty has no recordings \(\*\.trace\)\n$/],
  "nowhere to write": [["instrument", "guest.wasm", "-o", "none/a.wasm"], /^linmem: cannot write none\/a\.wasm: no such file or directory\n$/],
  "no output": [["instrument", "guest.wasm"], /^linmem: --output is missing/],
  "two modules": [["inspect", "guest.wasm", "b.wasm"], /^linmem: what is b\.wasm\?/],
};
mkdirSync(join(directory, "empty"));
for (const [name, [words, message]] of Object.entries(MISTAKES)) {
  test(`${name} is exit code 2 and one line`, () => {
    const { status, stderr } = linmem(...words);
    assert.equal(status, 2);
    assert.match(stderr, message);
    assert.equal(stderr.split("\n").length, 2);
  });
}

test("help and version", () => {
  for (const words of [["--help"], ["node", "--help"], ["report", "-h"], ["inspect", "--help"], ["instrument", "--help"]]) {
    const { status, stdout } = linmem(...words);
    assert.equal(status, 0);
    assert.match(stdout, /Usage: linmem/);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 120, line);
  }
  assert.match(linmem("--version").stdout, /^linmem \d+\.\d+\.\d+\n$/);
  assert.equal(linmem().status, 2);
});

test("Ctrl-C is the program's, and what it did is reported", { skip: process.platform === "win32" && "signals" }, async () => {
  writeFileSync(
    join(directory, "waits.mjs"),
    `import { readFileSync } from "node:fs";
const { instance } = await WebAssembly.instantiate(readFileSync("guest.wasm"));
for (let time = 0; time < 20; time++) instance.exports.text();
process.on("SIGINT", () => process.exit(5));
console.log("waits");
setInterval(() => {}, 1000);
`,
  );
  const child = spawn(process.execPath, [COMMAND, "node", "waits.mjs"], { cwd: directory, env, detached: true });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (data) => (said[name] += data));
  const ended = new Promise((resolve) => child.on("exit", resolve));
  child.stdout.once("data", () => process.kill(-child.pid, "SIGINT"));
  assert.equal(await ended, 5);
  assert.match(said.stderr, /the host got 20 blocks from `text`/);
});

test("a line with what a module is called cannot command the terminal", () => {
  assert.equal(inLines(["module \u001b[2Jx\u009b1m is not watched\r", "2"]), "module \ufffd[2Jx\ufffd1m is not watched\ufffd\n2\n");
});
