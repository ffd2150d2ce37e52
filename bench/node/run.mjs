// How much longer programs take under `linmem node`: whole processes, watched and plain, interleaved.
// usage: node bench/node/run.mjs [--rounds N] [--write]     (after scripts/build-guests --real, and `npm ci` in
//                                                            bench/node and in examples/npm)
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, write: { type: "boolean" } } });
const rounds = Number(values.rounds);

const BAR = 1.5;
// Not binary_trees: Node 20 itself crashes in it now and then, unwatched.
const linmem = process.env.LINMEM_PROGRAM || `${root}target/release/linmem`;

const guest = (file, ...args) => [`${root}bench/node/wasi.mjs`, `${root}target/guests/${file}`, `${root}bench/guests`, ...args];
const program = (file, ...args) => [`${root}bench/node/programs/${file}`, ...args];
// Title, arguments of node, and the bar, where it is another one.
const PROGRAMS = [
  ["SQLite, 400,000 rows", guest("sqlite.wasm", "400000")],
  ["QuickJS, 600,000 objects", guest("qjs.wasm", "/objects.js", "600")],
  ["QuickJS without its arena", guest("qjs-noarena.wasm", "/objects.js", "600")],
  ["hash_map, 15 M operations", guest("hash_map.wasm", "15000")],
  ["string_build, 225,000 texts", guest("string_build.wasm", "225")],
  ["sql.js, 100 rows", [`${root}examples/npm/sql.js.mjs`]],
  ["sql.js, 40,000 rows", program("sql.mjs", "40000")],
  ["Pyodide, 60 sorted lists", program("pyodide.mjs", "60")],
  ["tiktoken (wasm-bindgen), 4,000 texts", program("tiktoken.mjs", "4000")],
  ["photon (wasm-bindgen), 600 images", program("photon.mjs", "600")],
  ["Manifold (embind), 200 cuts", program("manifold.mjs", "200"), 2],
  ["Yoga (embind), 60 layouts", program("yoga.mjs", "60"), 2],
  ["ONNX Runtime (threads), 4,000 products", program("onnxruntime.mjs", "4000"), 2],
  ["Z3 (threads, `invoke_*`), 12 queens", program("z3.mjs", "12"), 2],
];

// Z3's own threads wait for each other for ever now and then, watched or not.
const PATIENCE = 60_000;

function seconds(program, args, right) {
  const start = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(program, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"], timeout: PATIENCE });
  if (error?.code === "ETIMEDOUT") return seconds(program, args, right);
  if (!right.includes(status)) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function measure([title, args, bar = BAR]) {
  console.error(`${title} ...`);
  const plain = [];
  const watched = [];
  for (let round = 0; round < rounds; round++) {
    plain.push(seconds(process.execPath, args, [0]));
    // Programs that leave blocks behind end with 1 when they are watched.
    watched.push(seconds(linmem, ["node", "--quiet", "--", process.execPath, ...args], [0, 1]));
  }
  const least = Math.min(...watched) / Math.min(...plain);
  const middle = median(watched.map((time, round) => time / plain[round]));
  return { title, bar, plain: Math.min(...plain), watched: Math.min(...watched), least, middle };
}

function table(rows) {
  const lines = rows.map(({ title, bar, plain, watched, least, middle }) => {
    const met = Math.max(least, middle) <= bar ? "yes" : "no";
    return `| ${title} | ${plain.toFixed(2)} | ${watched.toFixed(2)} | ${least.toFixed(2)}x | ${middle.toFixed(2)}x | ${met} |`;
  });
  return ["| program | plain s | watched s | shortest | median | met |", "|---|--:|--:|--:|--:|--:|", ...lines].join("\n");
}

for (const [, [, file]] of PROGRAMS) {
  if (file?.endsWith(".wasm") && !existsSync(file)) throw new Error(`${file} is not built: scripts/build-guests --real`);
}
const machine = `Machine: ${cpus()[0].model}, ${cpus().length} cores, linux ${release().split("-")[0]}, ${process.arch}; Node ${process.version}.`;
const text = `# What watching a Node program costs

Written by \`node bench/node/run.mjs --write\`: whole processes, \`linmem node --quiet\` against node alone,
with instrumentation (kept after the first time), recording, analysis and all; ${rounds} rounds, interleaved. The
ratio of the shortest times, and the median of the rounds' ratios. The bar is ${BAR}; it is 2 for programs that call
a module very often (embind), and for those with threads.

${machine}

${table(PROGRAMS.map(measure))}
`;
console.log(text);
if (values.write) writeFileSync(`${root}bench/node/RESULTS.md`, text);
