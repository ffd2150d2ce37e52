// How much longer pages take under `linmem browser` than in the same Chromium without it, interleaved.
// usage: node bench/browser/run.mjs [--rounds N] [--only WORD] [--write]     (after `npm ci` in packages/linmem, bench/node
//                                      and examples/npm, and `npm run build` in packages/linmem)
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Chromium, findChromium } from "../../packages/linmem/src/command/chromium.js";
import { serve } from "./server.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, only: { type: "string" }, write: { type: "boolean" } } });
const rounds = Number(values.rounds);
const command = fileURLToPath(new URL("../../packages/linmem/src/command/main.js", import.meta.url));

// Title, program, how many times, and where. In a worker it is a module worker.
const PROGRAMS = [
  ["sql.js, 100 rows", "sql", 100],
  ["sql.js, 40,000 rows", "sql", 40000],
  ["Yoga (embind), 60 layouts", "yoga", 60],
  ["Manifold (embind), 200 cuts", "manifold", 200],
  ["tiktoken (wasm-bindgen), 4,000 texts, in a worker", "tiktoken", 4000, "worker"],
  ["Pyodide, 60 sorted lists", "pyodide", 60],
  ["as-sha256, 3 million calls", "as-sha256", 3_000_000],
  ["ONNX Runtime (threads), 1,000 products", "onnxruntime", 1000],
].filter(([title]) => title.includes(values.only ?? ""));

const server = await serve();
const addressOf = ([, program, times, place = "page"]) => `${server.address}?${new URLSearchParams({ program, times, place })}`;

// Chromium, started as `linmem browser` starts it.
async function plainly(program) {
  const profile = mkdtempSync(join(tmpdir(), "linmem-bench-"));
  const chromium = new Chromium(findChromium(), { profile, headless: true, words: [] });
  try {
    const { targetInfos } = await chromium.devtools.send("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }) => type === "page");
    const { sessionId } = await chromium.devtools.send("Target.attachToTarget", { targetId, flatten: true });
    const result = server.next();
    chromium.devtools.send("Page.navigate", { url: addressOf(program) }, sessionId);
    return await result;
  } finally {
    await chromium.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

// With the time from when the page is done to the end of the command, report and all.
async function watched(program) {
  const child = spawn(process.execPath, [command, "browser", "--headless", "--quiet", addressOf(program)], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const early = ended.then((code) => Promise.reject(new Error(`linmem browser ended with ${code}`)));
  const result = await Promise.race([server.next(), early]);
  early.catch(() => {});
  const done = performance.now();
  child.kill("SIGINT");
  await ended;
  return { ...result, report: performance.now() - done };
}

const least = (numbers) => Math.min(...numbers);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function measure(program) {
  console.error(`${program[0]} ...`);
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    const pair = { plain: await plainly(program), under: await watched(program) };
    if (pair.plain.value !== pair.under.value) throw new Error(`${program[0]}: ${pair.plain.value} alone, ${pair.under.value} watched`);
    pairs.push(pair);
  }
  const timesOf = (what) => {
    const [plain, under] = ["plain", "under"].map((way) => pairs.map((pair) => pair[way][what]));
    const ratio = (number) => `${number.toFixed(2)}x`;
    return [seconds(least(plain)), seconds(least(under)), ratio(least(under) / least(plain)), ratio(median(under.map((time, round) => time / plain[round])))];
  };
  return [program[0], ...timesOf("work"), ...timesOf("page"), seconds(median(pairs.map(({ under }) => under.report)))];
}

const seconds = (milliseconds) => (milliseconds / 1000).toFixed(2);

const HEAD = ["program", "work, plain s", "watched s", "shortest", "median", "page, plain s", "watched s", "shortest", "median", "report s"];
const table = (rows) => [HEAD, HEAD.map((_, column) => (column === 0 ? "---" : "--:")), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const rows = [];
for (const program of PROGRAMS) rows.push(await measure(program));
server.close();

const machine = `Machine: ${cpus()[0].model}, ${cpus().length} cores, linux ${release().split("-")[0]}, ${process.arch}; Node ${process.version}.`;
const text = `# What watching a page costs

Written by \`node bench/browser/run.mjs --write\`: pages under \`linmem browser --headless\`, against the same Chromium
with the same arguments alone; ${rounds} rounds, interleaved, each in a new browser with an empty profile. *Work* is what the
page measures around the program's own work; *page* is from the server's answer to the page's word that it is done, so with
loading, instrumenting and compiling; each as the shortest times, their ratio, and the median of the rounds'
ratios. *Report* is the time from there to the end of the command (median).

${machine}

${table(rows)}
`;
console.log(text);
if (values.write) writeFileSync(new URL("RESULTS.md", import.meta.url), text);
