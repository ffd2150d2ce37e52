// The native program as the one that instruments.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { instrumentBy, isProgram, programVersion } from "../../src/node/program.js";

const directory = mkdtempSync(join(tmpdir(), "linmem-program-"));
after(() => rmSync(directory, { recursive: true }));

const posix = { skip: process.platform === "win32" && "file modes" };

function script(name, text) {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("what cannot be executed is not the program", posix, () => {
  const path = script("linmem", "exit 0");
  assert.ok(isProgram(path));
  chmodSync(path, 0o644);
  assert.ok(!isProgram(path));
  assert.ok(!isProgram(directory));
  assert.ok(!isProgram(join(directory, "none")));
});

test("a program that is built again is another one", posix, () => {
  const path = script("again", "exit 0");
  const before = programVersion(path);
  assert.equal(programVersion(path), before);
  rmSync(path);
  assert.notEqual(programVersion(script("again", "exit 0 # again")), before);
});

test("it gets the options and a file, and its files are the result", posix, () => {
  const path = script("copies", '[ "$1 $2 $3" = "instrument --malloc xa" ] || exit 3\ncp "$4" "$6"\nprintf "{}" > "$8"');
  const { wasm, map } = instrumentBy(path, ["--malloc", "xa"], Buffer.from("bytes"));
  assert.deepEqual([wasm.toString(), map], ["bytes", "{}"]);
});

test("the first line that it says when it fails is the reason, without the file's name", posix, () => {
  const failing = script("fails", 'echo "linmem: $2: no module" >&2\necho more >&2\nexit 2');
  assert.throws(() => instrumentBy(failing, [], Buffer.from("x")), new Error("no module"));
  assert.throws(() => instrumentBy(script("silent", "exit 3"), [], Buffer.from("x")), new Error("linmem ended with 3"));
  assert.throws(() => instrumentBy(join(directory, "none"), [], Buffer.from("x")), /ENOENT/);
});

test("nothing is left of its files", posix, (context) => {
  const own = mkdtempSync(join(directory, "tmp-"));
  const before = process.env.TMPDIR;
  context.after(() => (before === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = before)));
  process.env.TMPDIR = own;
  instrumentBy(script("copies", 'cp "$4" "$6"\nprintf "{}" > "$8"'), ["--malloc", "xa"], Buffer.from("bytes"));
  assert.throws(() => instrumentBy(script("silent", "exit 3"), [], Buffer.from("x")));
  assert.deepEqual(readdirSync(own), []);
});
