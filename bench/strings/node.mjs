// Measures in a process of its own, with any Node: `measureIn(path)`. That process runs this file too.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { measure } from "./measure.mjs";

const self = fileURLToPath(import.meta.url);

/** What `measure` answers, and the engine's name. */
export function measureIn(node, options) {
  return JSON.parse(execFileSync(node, [self, JSON.stringify(options)], { encoding: "utf8", maxBuffer: 1 << 26 }));
}

if (process.argv[1] === self) {
  const { node, v8 } = process.versions;
  const cells = await measure(JSON.parse(process.argv[2]));
  console.log(JSON.stringify({ engine: `Node ${node}`, version: `V8 ${v8}`, cells }));
}
