// Offsets in the digits of source maps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { offsetsIn } from "../../src/record/offsets.js";

for (const [text, pairs] of [
  ["", []],
  ["AACe", [[0, 0], [1, 15]]],
  ["gB2H", [[16, 123]]],
  ["gB2HCD", [[16, 123], [17, 122]]],
  ["QggggggC", [[8, 2 ** 30]]],
]) {
  test(`${text || "no text"} is ${JSON.stringify(pairs)}`, () => {
    const { new: starts, original } = offsetsIn(text);
    assert.deepEqual([...starts].map((start, pair) => [start, original[pair]]), pairs);
  });
}
