// What checks of accesses cost, in wasmtime and in Node 24, and what others cost that look for the same bugs: interleaved, on
// the same programs.
// usage: node bench/node/checks.mjs [--rounds N] [--write]
//
// Needs scripts/build-guests --real, cargo build --release -p linmem-cli -p linmem-bench, `npm ci` in examples/npm and
// packages/linmem, `cargo build --release` in bench/wmemcheck, gcc and valgrind.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, write: { type: "boolean" } } });
const rounds = Number(values.rounds);
const built = process.env.CARGO_TARGET_DIR ?? `${root}target`;
const linmem = process.env.LINMEM_PROGRAM || `${built}/release/linmem`;
const bench = `${built}/release/linmem-bench`;
const wmemcheck = `${process.env.WMEMCHECK_TARGET_DIR ?? `${root}bench/wmemcheck/target`}/release/linmem-bench-wmemcheck`;
const node = `${root}examples/npm/node_modules/node-24/bin/node`;
const wasmOpt = `${root}packages/linmem/node_modules/.bin/wasm-opt`;
const guests = `${root}target/guests`;
const directory = `${root}bench/guests`;
const original = (name) => `${guests}/${name}.wasm`;
const scratch = mkdtempSync(join(tmpdir(), "linmem-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const BAR = { wasmtime: 1.8, node: 2, each: 3.5 };

// Title, module, native program, and arguments that let it run for a part of a second.
const PROGRAMS = [
  ["SQLite, 60,000 rows", "sqlite", "60000"],
  ["QuickJS, 100,000 objects", "qjs", "/objects.js", "100"],
  ["update", "kernels", "update", "4000"],
  ["sum", "kernels", "sum", "4000"],
  ["hash", "kernels", "hash", "4000"],
  ["chase", "kernels", "chase", "4000"],
  ["product", "kernels", "product", "300"],
  ["sort", "kernels", "sort", "150"],
];

function run(program, args, env = {}) {
  const { status, stderr, error } = spawnSync(program, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
  // Programs that leave blocks behind end with 1 where linmem looks.
  if (error || (status !== 0 && !(status === 1 && program === linmem))) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${error ?? stderr.slice(-2000)}`);
  return stderr;
}

const nanoseconds = (text, pattern) => {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`nothing was measured: ${text.slice(-2000)}`);
  return Number(found[1]);
};

// ---- what is measured -----------------------------------------------------

// The features that the programs use; wasm-opt would write newer ones, too.
const FEATURES = ["bulk-memory", "bulk-memory-opt", "sign-ext", "mutable-globals", "nontrapping-float-to-int", "multivalue", "reference-types"];

const SQLITE = `${guests}/sources/vendor/libsqlite3-sys/sqlite3`;
const QUICKJS = `${guests}/sources/vendor/rquickjs-sys/quickjs`;
const QUICKJS_FILES = ["qjs", "quickjs", "quickjs-libc", "libregexp", "libunicode", "dtoa", "gen/repl", "gen/standalone"];
const NATIVE = {
  sqlite: [`-I${SQLITE}`, "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_TEMP_STORE=3", "-DSQLITE_DEFAULT_MEMSTATUS=1", `${SQLITE}/sqlite3.c`, `${root}tests/guests/sqlite_driver.c`],
  qjs: ["-D_GNU_SOURCE", "-DQUICKJS_NG_BUILD", ...QUICKJS_FILES.map((file) => `${QUICKJS}/${file}.c`)],
  kernels: [`${root}bench/guests/kernels.c`],
};

function prepare() {
  for (const name of Object.keys(NATIVE)) {
    console.error(`building ${name} ...`);
    run(wasmOpt, ["--safe-heap", ...FEATURES.map((feature) => `--enable-${feature}`), `${guests}/${name}.wasm`, "-o", join(scratch, `${name}.safe.wasm`)]);
    const natively = (output, ...flags) => run("gcc", ["-w", "-O2", "-g", ...flags, ...NATIVE[name], "-lm", "-lpthread", "-ldl", "-o", join(scratch, output)]);
    natively(name);
    natively(`${name}.asan`, "-fsanitize=address");
  }
}

const inBench = (role) => ([, name, ...args]) => nanoseconds(run(bench, [role, `${guests}/${name}.wasm`, directory, ...args]), /^linmem-bench: (\d+)/m);
const inNode = (file, prefix = []) => ([, name, ...args]) => {
  const [program, ...options] = [...prefix, node];
  return nanoseconds(run(program, [...options, `${root}bench/node/timed-wasi.mjs`, file(name), directory, ...args]), /^cpu (\d+)/m);
};
const inWasmtime45 = (way) => ([, name, ...args]) => nanoseconds(run(wmemcheck, [way, original(name), directory, ...args]), /^(\d+)$/m);

// The whole process, which begins in no time, or in Valgrind's.
function natively(suffix, ...prefix) {
  return ([, name, ...args]) => {
    const own = args.map((arg) => (arg === "/objects.js" ? `${directory}/objects.js` : arg));
    const [program, ...rest] = [...prefix, join(scratch, `${name}${suffix}`), ...own];
    const timed = run("bash", ["-c", 'TIMEFORMAT="cpu %U %S"; time "$@"', "bash", program, ...rest], { ASAN_OPTIONS: "detect_leaks=0" });
    const [, user, system] = /^cpu ([\d.]+) ([\d.]+)$/m.exec(timed);
    return (Number(user) + Number(system)) * 1e9;
  };
}

const VALGRIND = ["valgrind", "--quiet", "--leak-check=no"];

// By heading: the sides, the first of which the others are compared with.
const GROUPS = [
  ["wasmtime 48", [["plain", inBench("plain")], ["linmem", inBench("checked")]]],
  ["Node 24", [["plain", inNode(original)], ["linmem", inNode(original, [linmem, "node", "--quiet", "--check", "--"])], ["safe-heap", inNode((name) => join(scratch, `${name}.safe.wasm`))]]],
  ["wasmtime 45", [["plain", inWasmtime45("plain")], ["wmemcheck", inWasmtime45("wmemcheck")]]],
  ["native", [["plain", natively("")], ["ASan", natively(".asan")], ["Valgrind", natively("", ...VALGRIND)]]],
];
const SIDES = GROUPS.flatMap(([group, sides]) => sides.map(([side, measure], index) => ({ group, side, measure, isPlain: index === 0 })));

function measure(program) {
  console.error(`${program[0]} ...`);
  const times = SIDES.map(() => []);
  for (let round = 0; round < rounds; round++) {
    SIDES.forEach(({ measure, group, side }, index) => {
      try {
        times[index].push(measure(program));
      } catch (error) {
        if (round === 0) console.error(`${group}, ${side}: ${error.message}`);
      }
    });
  }
  return times.map((list) => (list.length === 0 ? undefined : Math.min(...list)));
}

// ---- the table ------------------------------------------------------------

function ratiosOf(least) {
  let plain;
  return SIDES.map(({ isPlain }, index) => {
    if (isPlain) plain = least[index];
    return isPlain || least[index] === undefined ? undefined : least[index] / plain;
  });
}

const geometricMean = (numbers) => Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
const shown = (ratio) => (ratio === undefined ? "-" : `${ratio.toFixed(2)}x`);

prepare();
const measured = PROGRAMS.map((program) => ({ title: program[0], least: measure(program) }));
const ratios = measured.map(({ least }) => ratiosOf(least));
const means = SIDES.map((_, index) => {
  const known = ratios.map((row) => row[index]).filter((ratio) => ratio !== undefined);
  return known.length === 0 ? undefined : geometricMean(known);
});

const titles = SIDES.map(({ group, side, isPlain }) => (isPlain ? `${group}, s` : side));
const cell = (row, index, least) => (SIDES[index].isPlain ? (least[index] === undefined ? "-" : (least[index] / 1e9).toFixed(2)) : shown(row[index]));
const rows = [
  ["program", ...titles],
  ["---", ...titles.map(() => "--:")],
  ...measured.map(({ title, least }, nth) => [title, ...titles.map((_, index) => cell(ratios[nth], index, least))]),
  ["geometric mean", ...means.map((mean, index) => (SIDES[index].isPlain ? "" : shown(mean)))],
];
const ofLinmem = SIDES.flatMap(({ side }, index) => (side === "linmem" ? [index] : []));
const [inEngine, inNode24] = ofLinmem;
const most = Math.max(...ofLinmem.flatMap((index) => ratios.map((row) => row[index])));
const isMet = means[inEngine] <= BAR.wasmtime && means[inNode24] <= BAR.node && most <= BAR.each;

const text = `# What checks of accesses cost

Written by \`node bench/node/checks.mjs --write\`: how many times as long the same programs take as without checks, on the left of
each. ${rounds} rounds, interleaved, the shortest times. In wasmtime and Node it is the CPU time of the program's own code; natively
that of the process. *linmem* is \`linmem check\` and \`linmem node --check\`, *safe-heap* is \`wasm-opt --safe-heap\` of npm's
binaryen, *wmemcheck* wasmtime 45's (later ones find nothing with it; where there is no figure, it has stopped the program in its
allocator or start-up code, which is right), *ASan* gcc's, *Valgrind* its memcheck without a search for leaks. The bars for linmem: a mean of ${BAR.wasmtime}x in wasmtime and ${BAR.node}x in Node, and ${BAR.each}x for each program.
They are ${isMet ? "" : "not all "}met.

Machine: ${cpus()[0].model}, ${cpus().length} cores, ${process.platform} ${release()}, ${process.arch}.

${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`;
console.log(text);
if (values.write) writeFileSync(`${root}bench/node/CHECKS.md`, text);
process.exitCode = isMet ? 0 : 1;
