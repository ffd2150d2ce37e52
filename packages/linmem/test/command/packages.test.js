// The packed package in an empty project, without Rust: unmodified npm packages, misused as their bug reports say, and
// used well. Its findings are those of the native program.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PROGRAM } from "../node/support.js";
import { installPacked } from "../readme.js";

// 1 MB. Where linmem.wasm was built with rustup's std, it is not: see scripts/build-wasm.
const MOST_PACKED_BYTES = 1_000_000;

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const examples = join(root, "examples/npm");
const skip = existsSync(join(examples, "node_modules")) ? false : "run `npm ci` in examples/npm first";

const project = installPacked();
after(project.remove);

const command = join(project.directory, "node_modules/.bin/linmem");
const env = { ...process.env, PATH: [join(process.execPath, ".."), "/usr/bin", "/bin"].join(":"), LINMEM_CACHE_DIR: join(project.directory, "cache"), LINMEM_PROGRAM: undefined, NODE_TEST_CONTEXT: undefined };

test("it is small", () => {
  const { size } = statSync(join(project.directory, project.filename));
  assert.ok(size <= MOST_PACKED_BYTES, `${size} bytes`);
});

function reported(program, name, cwd, words) {
  const json = join(project.directory, `${name}.json`);
  const { stderr } = spawnSync(program, ["node", "--quiet", "--json", json, ...words], { cwd, env, encoding: "utf8" });
  assert.equal(stderr, "");
  return JSON.parse(readFileSync(json, "utf8")).report;
}

function findings(program, name, script, ...words) {
  return reported(program, name, examples, [script, ...words]).findings;
}

for (const script of ["manifold", "tiktoken", "yoga-layout", "draco3d", "rosu", "photon", "web-tree-sitter", "libsodium"]) {
  for (const use of ["leak", "clean"]) {
    test(`${script}, ${use}`, { skip }, () => {
      const [ours, theirs] = [command, PROGRAM].map((program, index) => findings(program, `${script}-${use}-${index}`, `${script}.mjs`, use));
      assert.deepEqual(ours.map(withoutCollected), theirs.map(withoutCollected));
      assert.equal(ours.some(({ severity }) => severity !== "note"), use === "leak" && !NOTES.includes(script));
    });
  }
}

// How many of the objects that are left to finalizers have been collected by the end is up to the engine.
const withoutCollected = (finding) => (finding.code === "waits-for-finalizer" ? { code: finding.code, objects: finding.numbers.objects } : finding);

// What leaks there is left to finalizers, which may free it.
const NOTES = ["rosu"];

// Memory sizes that three readings agree on, and that say nothing of the work.
for (const [story, codes] of Object.entries({
  "1-suspicious": ["watched-idle-instance"],
  "2-not-awaited": ["measured-too-early"],
  "3-right": [],
})) {
  test(`the test ${story}`, () => {
    const words = ["--", "node", "--test", `examples/story/${story}.test.mjs`];
    const [ours, theirs] = [command, PROGRAM].map((program, index) => reported(program, `${story}-${index}`, root, words));
    assert.deepEqual(ours.findings, theirs.findings);
    assert.deepEqual(ours.answers, theirs.answers);
    assert.deepEqual(ours.findings.filter(({ severity }) => severity !== "note").map(({ code }) => code), codes);
  });
}
