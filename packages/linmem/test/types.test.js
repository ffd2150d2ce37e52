// The declarations: types/*.ts say what must compile and what must not.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as strings from "linmem/strings";
import * as expectations from "linmem/test";
import { ROLES } from "../src/record/names.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// What Playwright declares needs Node's types, and nothing else does.
for (const project of ["types", "types/playwright"]) {
  test(`tsc --strict agrees in ${project}`, () => {
    try {
      execFileSync(process.execPath, [path("../node_modules/typescript/bin/tsc"), "-p", path(project)], { encoding: "utf8" });
    } catch (error) {
      assert.fail(error.stdout);
    }
  });
}

test("linmem/playwright: each role of an allocator's function is declared", () => {
  const declarations = readFileSync(path("../src/playwright.d.ts"), "utf8");
  assert.deepEqual([...declarations.matchAll(/^ {2}\| "(\w+)"/gm)].map(([, role]) => role), ROLES);
});

for (const [name, library] of Object.entries({ strings, test: expectations })) {
  test(`linmem/${name}: what is declared is exported, and the other way round`, () => {
    const declarations = readFileSync(path(`../src/${name}.d.ts`), "utf8");
    const declared = [...declarations.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual([...new Set(declared)].sort(), Object.keys(library).sort());
  });
}
