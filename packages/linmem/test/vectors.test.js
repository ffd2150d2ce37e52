// Every vector of testdata/, in a plain and in a shared memory.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cstrings } from "linmem/strings";
import { makeMemory, testdata } from "./support.js";
import { vectors } from "./vectors.js";

const shared = ({ initial, maximum = 65536 }) => new WebAssembly.Memory({ initial, maximum, shared: true });

for (const [kind, make] of Object.entries({ plain: makeMemory, shared })) {
  describe(`vectors in a ${kind} memory`, () => {
    for (const { name, run } of vectors({ cstrings, ...testdata, makeMemory: make })) test(name, run);
  });
}

test("the files have the version that is tested", () => {
  assert.deepEqual([testdata.strings.version, testdata.utf8tests.version], [1, 1]);
});
