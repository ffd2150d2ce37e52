// Whether the same call again and again comes to rest: the cases of testdata/repeats.json, which the Rust
// crate passes too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { testdata } from "./support.js";
import { Repeats } from "../src/test/verdict.js";

const state = (pages, liveBytes) => ({ pages, liveBytes, unknownFrees: 0 });

// What only expectations want to know is left out.
const inWords = ({ kind, afterCall, liveBytesPerCall, pagesPerCall }) =>
  JSON.parse(JSON.stringify({ kind, after_call: afterCall, live_bytes_per_call: liveBytesPerCall, pages_per_call: pagesPerCall }));

for (const { name, times, before, calls, verdict } of testdata.repeats.cases) {
  test(name, () => {
    const repeats = new Repeats(times, state(before.pages, before.live_bytes));
    for (const [pages, liveBytes] of calls) repeats.add(state(pages, liveBytes));
    assert.deepEqual(inWords(repeats.verdict()), verdict);
  });
}
