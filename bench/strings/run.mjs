// Measures everywhere, prints the tables, and says which bars hold.
//
//   node run.mjs           everything: five minutes
//   node run.mjs --quick   with fewer and shorter rounds: half a minute, and rough
//   node run.mjs --write   into RESULTS.md too

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureIn } from "./node.mjs";
import { bars, report } from "./report.mjs";

const { values } = parseArgs({ options: { quick: { type: "boolean" }, write: { type: "boolean" } } });
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const missing = [["target/versions.json", "./build"], ["node_modules/node/bin/node", "npm ci"]].filter(([file]) => !existsSync(path(file)));
for (const [file, command] of missing) console.error(`missing: ${file}; run ${command}`);
if (missing.length > 0) process.exit(2);

const { measureInPage } = await import("./page.mjs");

// The machine without its name.
function machine() {
  const [cpu] = cpus();
  return `${cpu.model.trim()}, ${cpus().length} cores, ${process.platform} ${release().split("-")[0]}, ${process.arch}`;
}

function chromium() {
  return process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
}

const options = { quick: values.quick === true };
const engines = [];
for (const run of [
  () => measureIn(process.execPath, options),
  () => measureIn(path("node_modules/node/bin/node"), options),
  () => measureInPage(chromium(), options),
]) {
  engines.push(await run());
  console.error(`measured: ${engines.at(-1).engine}`);
}

const versions = JSON.parse(readFileSync(path("target/versions.json"), "utf8"));
const text = report({ machine: machine(), versions, engines });
console.log(text);
if (values.write) writeFileSync(path("RESULTS.md"), text);
process.exitCode = bars(engines[0]).every(({ met }) => met) ? 0 : 1;
