// The library as WebAssembly: it instruments a module as the program does, and analyses a trace as the
// program does.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const program = process.env.LINMEM_PROGRAM ?? path("../../target/release/linmem");
const directory = mkdtempSync(join(tmpdir(), "linmem-as-wasm-"));
after(() => rmSync(directory, { recursive: true }));

const module = new WebAssembly.Module(readFileSync(path("../../target/as-wasm/as_wasm.wasm")));
const { exports } = new WebAssembly.Instance(module);

function call(name, input) {
  const buffer = exports.allocate(input.length);
  new Uint8Array(exports.memory.buffer, buffer, input.length).set(input);
  const result = BigInt.asUintN(64, exports[name](buffer, input.length));
  const [address, length] = [Number(result >> 32n), Number(result & 0xffffffffn)];
  const bytes = Buffer.from(exports.memory.buffer.slice(address, address + length));
  if (bytes[0] !== 0) throw new Error(bytes.subarray(1).toString());
  return bytes.subarray(1);
}

function linmem(...values) {
  const { status, stderr } = spawnSync(program, values, { encoding: "utf8" });
  assert.ok(status === 0 || status === 1, stderr);
}

const leaks = path("../../examples/leaks.wasm");

test("it asks its host for nothing", () => assert.deepEqual(WebAssembly.Module.imports(module), []));

test("it instruments a module as the program does", () => {
  const output = join(directory, "leaks.wasm");
  linmem("instrument", leaks, "--output", output);
  const instrumented = call("instrument", readFileSync(leaks));
  assert.ok(instrumented.equals(readFileSync(output)));
  assert.ok(WebAssembly.validate(instrumented));
});

test("it analyses a trace as the program does", () => {
  const [trace, json] = [join(directory, "leaks.trace"), join(directory, "leaks.json")];
  linmem("run", "--quiet", "--trace", trace, leaks);
  linmem("report", "--quiet", "--json", json, trace);
  const report = JSON.parse(call("analyze", readFileSync(trace)));
  const expected = JSON.parse(readFileSync(json, "utf8"));
  // The program lists fewer hot sites, unless it is told otherwise.
  for (const each of [report, expected]) for (const memory of each.report.memories) delete memory.hot_sites;
  assert.deepEqual(report, expected);
  assert.ok(report.report.findings.some(({ code }) => code === "leak-definite"));
});

test("it says what is wrong with what it gets", () => {
  assert.throws(() => call("instrument", Buffer.from("no module")), /magic number/);
  assert.throws(() => call("analyze", Buffer.from("no trace")), /not a linmem trace/);
});
