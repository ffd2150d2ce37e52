// How the linmem program is found and run. For Windows, only what would be done: nothing was run there.

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { candidates, commandOf, findProgram, runProgram } from "../../src/node/program.js";

const directory = mkdtempSync(join(tmpdir(), "linmem-program-"));
after(() => rmSync(directory, { recursive: true }));

test("the program is that of LINMEM_PROGRAM, else one in PATH", () => {
  assert.deepEqual(candidates({ LINMEM_PROGRAM: "/opt/my linmem", PATH: "/usr/bin" }, "linux"), ["/opt/my linmem"]);
  assert.deepEqual(candidates({ PATH: "/usr/local/bin::/usr/bin" }, "linux"), ["/usr/local/bin/linmem", "/usr/bin/linmem"]);
  assert.deepEqual(candidates({}, "linux"), []);
});

test("on Windows, PATH has other separators and its programs have extensions", () => {
  const env = { PATHEXT: ".EXE;.CMD" };
  assert.deepEqual(candidates({ ...env, PATH: "C:\\bin;D:\\tools" }, "win32"), ["C:\\bin\\linmem.EXE", "C:\\bin\\linmem.CMD", "D:\\tools\\linmem.EXE", "D:\\tools\\linmem.CMD"]);
  assert.deepEqual(candidates({ PATH: '"C:\\Program Files\\linmem"' }, "win32")[1], "C:\\Program Files\\linmem\\linmem.EXE");
  assert.deepEqual(candidates({ ...env, LINMEM_PROGRAM: "C:\\bin\\linmem.exe" }, "win32"), ["C:\\bin\\linmem.exe"]);
  assert.deepEqual(candidates({ ...env, LINMEM_PROGRAM: "C:\\bin\\linmem" }, "win32"), ["C:\\bin\\linmem.EXE", "C:\\bin\\linmem.CMD"]);
});

test("a script of Windows' shell is run by the shell, anything else directly", () => {
  const direct = { file: "C:\\bin\\linmem.exe", args: ["instrument", "a b"], options: {} };
  assert.deepEqual(commandOf("C:\\bin\\linmem.exe", ["instrument", "a b"], "win32"), direct);
  const { file, args, options } = commandOf("C:\\my bin\\linmem.cmd", ["instrument", "a b", 'c"d'], "win32");
  assert.deepEqual([file, args, options], ['"C:\\my bin\\linmem.cmd" "instrument" "a b" "c""d"', [], { shell: true }]);
  assert.deepEqual(commandOf("/bin/linmem.cmd", ["x"], "linux"), { file: "/bin/linmem.cmd", args: ["x"], options: {} });
});

const posix = { skip: process.platform === "win32" && "file modes" };

test("what cannot be executed is not the program", posix, () => {
  const path = join(directory, "linmem");
  writeFileSync(path, "#!/bin/sh\necho 'linmem: wrong' >&2\nexit 2\n");
  chmodSync(path, 0o644);
  // Root may execute what anybody may.
  assert.equal(findProgram({ PATH: directory }), undefined);
  assert.equal(findProgram({ PATH: tmpdir(), LINMEM_PROGRAM: directory }), undefined);
  chmodSync(path, 0o755);
  assert.equal(findProgram({ PATH: `/none:${directory}` }), path);
  assert.throws(() => runProgram(path, []), { message: "wrong" });
  assert.throws(() => runProgram(join(directory, "none"), []), { code: "ENOENT" });
});
