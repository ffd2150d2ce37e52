// The counter's bytes are those of its text, and its numbers are dense.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import wabt from "wabt";
import { Control, WORDS } from "../../src/record/control.js";
import { BUSY, counterOf } from "../../src/record/counter.js";

test("The bytes are those of the text", async () => {
  const source = readFileSync(new URL("../../src/record/counter.js", import.meta.url), "utf8");
  const [text] = /\/\/ {3}\(module\n(?:\/\/ {5}.*\n)+/.exec(source);
  const parsed = (await wabt()).parseWat("counter.wat", text.replaceAll("//", ""), { threads: true });
  assert.equal(/BYTES = "(.*)"/.exec(source)[1], Buffer.from(parsed.toBinary({}).buffer).toString("base64"));
});

test("Numbers are dense, also past 32 bits", () => {
  const control = new Control();
  const { take, publish } = counterOf(control);
  assert.deepEqual([take(1024, 0), take(1024, 0), take(1024, 0)], [0, 1, 2]);
  new BigInt64Array(control.buffer)[WORDS.NUMBER] = 2n ** 32n - 1n;
  assert.deepEqual([take(1024, 5), take(1024, 5)], [2 ** 32 - 1, 2 ** 32]);
  assert.equal(control.header(0)[0], 5 | BUSY);
  publish(1024, 7);
  assert.equal(control.header(0)[0], 7);
  control.end();
  assert.equal(take(1024, 7), -1);
  assert.equal(control.header(0)[0], 7);
});
