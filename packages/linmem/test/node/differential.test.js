// A program sees the same, watched or not: what it prints, and how it ends.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { removeDirectory, runPlain, runWatched, skip } from "./support.js";

after(removeDirectory);

for (const name of ["surface.mjs", "memory.mjs", "codeless.mjs", "strings.mjs", "commonjs.cjs", "worker.mjs", "child.mjs", "contexts.mjs", "recurses.mjs", "identity.mjs", "crosses.mjs", "corners.mjs", "handlers.mjs"]) {
  test(`${name} prints the same`, { skip }, () => {
    const plain = runPlain(name);
    assert.equal(plain.status, 0, plain.stderr);
    const { traces, ...watched } = runWatched(name);
    assert.deepEqual(watched, plain);
  });
}

const WAYS = ["code", "exitCode", "throws", "rejects", "listener", "listenerCode", "listenerExits", "terminate", "interrupt", "handled", "kill", "aborts", "emits", "rethrows", "emitsThrown", "natural"];

for (const way of WAYS) {
  test(`a program that ends like this: ${way}`, { skip }, () => {
    const { traces, ...watched } = runWatched("ends.mjs", way);
    assert.deepEqual(watched, runPlain("ends.mjs", way));
  });
}

test("an error in an exit listener ends the program as it did", { skip }, () => {
  const { status, stdout } = runWatched("ends.mjs", "listenerThrows");
  assert.deepEqual({ status, stdout }, { status: runPlain("ends.mjs", "listenerThrows").status, stdout: "" });
});
