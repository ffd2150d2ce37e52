// The declarations: types/*.ts say what must compile and what must not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as strings from "linmem/strings";
import * as expectations from "linmem/test";
import { readFileSync } from "node:fs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

test("tsc --strict agrees", () => {
  try {
    execFileSync(process.execPath, [path("../node_modules/typescript/bin/tsc"), "-p", path("types")], { encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

for (const [name, library] of Object.entries({ strings, test: expectations })) {
  test(`linmem/${name}: what is declared is exported, and the other way round`, () => {
    const declarations = readFileSync(path(`../src/${name}.d.ts`), "utf8");
    const declared = [...declarations.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual([...new Set(declared)].sort(), Object.keys(library).sort());
  });
}
