// What linmem costs as the npm package alone, beside the native program: instrumenting, and the least that a watched
// program takes. The instrumented modules are kept in a cache: without it the first run is cold.
// usage: node bench/node/package.mjs [--rounds N] [--write]     (after scripts/build-guests --real, `npm ci` in bench/node
//                                                                and `npm run build` in packages/linmem)
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { theLibrary } from "../../packages/linmem/src/node/packaged-library.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" }, write: { type: "boolean" } } });
const rounds = Number(values.rounds);
const native = process.env.LINMEM_PROGRAM || `${root}target/release/linmem`;
const command = `${root}packages/linmem/dist/command/main.cjs`;
const scratch = mkdtempSync(join(tmpdir(), "linmem-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

// The shortest and the median of each way, in milliseconds; the ways take turns.
function measured(ways) {
  const times = ways.map(() => []);
  for (let round = 0; round < rounds; round++) {
    ways.forEach((run, way) => {
      const start = process.hrtime.bigint();
      run();
      times[way].push(Number(process.hrtime.bigint() - start) / 1e6);
    });
  }
  return times.map((list) => ({ least: Math.min(...list), median: median(list) }));
}

function run(program, args, env = {}) {
  const { status, stderr } = spawnSync(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
  if (status !== 0 && status !== 1) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
}

const MODULES = [
  ["SQLite", `${root}target/guests/sqlite.wasm`],
  ["Pyodide", `${root}bench/node/node_modules/pyodide/pyodide.asm.wasm`],
  ["esbuild", `${root}bench/node/node_modules/esbuild-wasm/esbuild.wasm`],
];

// The engine makes the library's code fast while it is used: the first time is cold.
function instrumenting([title, file]) {
  console.error(`instrumenting ${title} ...`);
  const bytes = readFileSync(file);
  const cold = `import { theLibrary } from ${JSON.stringify(`${root}packages/linmem/src/node/packaged-library.js`)};
    import { readFileSync } from "node:fs";
    theLibrary().instrument(readFileSync(${JSON.stringify(file)}));`;
  const [warm, whole, program] = measured([
    () => theLibrary().instrument(bytes),
    () => run(process.execPath, ["--input-type=module", "-e", cold]),
    () => run(native, ["instrument", file, "--output", join(scratch, "out.wasm"), "--map", join(scratch, "map.json")]),
  ]);
  return [title, megabytes(bytes.length), ms(program), ms(warm), ratio(warm, program), ms(whole), ratio(whole, program)];
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const ms = ({ median }) => median.toFixed(0);
const ratio = (one, other) => `${(one.least / other.least).toFixed(2)}x`;

const SMALL = `${root}packages/linmem/test/guests/libc.wasm`;
const small = join(scratch, "small.mjs");
writeFileSync(small, `import { readFileSync } from "node:fs";
const { instance } = await WebAssembly.instantiate(readFileSync(${JSON.stringify(SMALL)}), {});
instance.exports.free(instance.exports.malloc(100));
`);
const empty = join(scratch, "launcher.mjs");
writeFileSync(empty, `import { spawn } from "node:child_process"; spawn(process.execPath, [${JSON.stringify(small)}], { stdio: "inherit" });`);

function fixedCost() {
  console.error("fixed cost ...");
  let colds = 0;
  const kept = { LINMEM_CACHE_DIR: join(scratch, "kept") };
  const none = () => ({ LINMEM_CACHE_DIR: join(scratch, `cold${colds++}`) });
  const watched = (program, first, env) => run(program, [...first, "node", "--quiet", "--", process.execPath, small], env);
  const ways = {
    "node alone": () => run(process.execPath, [small]),
    "a launcher that starts it": () => run(process.execPath, [empty]),
    "the native program, warm": () => watched(native, [], kept),
    "the native program, cold": () => watched(native, [], none()),
    "the package, warm": () => watched(process.execPath, [command], kept),
    "the package, cold": () => watched(process.execPath, [command], none()),
  };
  // So that what is warm is warm in the first round.
  Object.values(ways).forEach((once) => once());
  const [alone, ...others] = measured(Object.values(ways));
  return [alone, ...others].map((time, way) => [Object.keys(ways)[way], ms(time), ratio(time, alone)]);
}

function shortProgram() {
  console.error("sql.js ...");
  const program = `${root}examples/npm/sql.js.mjs`;
  const watched = (file, first) => () => run(file, [...first, "node", "--quiet", "--", process.execPath, program]);
  const [alone, byNative, byPackage] = measured([() => run(process.execPath, [program]), watched(native, []), watched(process.execPath, [command])]);
  return [["sql.js, 100 rows", ms(alone), ms(byNative), ratio(byNative, alone), ms(byPackage), ratio(byPackage, alone)]];
}

const table = (head, rows) => [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const machine = `Machine: ${cpus()[0].model}, ${cpus().length} cores, linux ${release().split("-")[0]}, ${process.arch}; Node ${process.version}.`;
const text = `# What the npm package costs

Written by \`node bench/node/package.mjs --write\`: medians of ${rounds} rounds in milliseconds, in which all ways take
turns, and the ratios of the shortest.

${machine}

Instrumenting a module: by the native program, a process each time; by the package's WebAssembly, in a process that has
done it before and in one of its own. The bar is 1.3 for the first.

${table(["module", "size", "native", "wasm, warm", "", "wasm, a new process", ""], MODULES.map(instrumenting))}

A program that makes one small instance, whole processes. *Cold* has nothing in the cache. The bar is 2.3 for the package.

${table(["", "ms", "to node alone"], fixedCost())}

A short program, with everything in the cache. The bar is 1.6.

${table(["program", "plain", "native", "", "package", ""], shortProgram())}
`;
console.log(text);
if (values.write) writeFileSync(`${root}bench/node/PACKAGE.md`, text);
