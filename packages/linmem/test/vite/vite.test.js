// linmem/vite: an app as create-vite makes it (vanilla-ts, `npm create vite@9 -- --template vanilla-ts`) with a module that
// leaks and one that does not, in Chromium. The terminal names lines of the TypeScript.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify, stripVTControlCharacters } from "node:util";
import { chromium } from "playwright-core";
import { build } from "vite";
import linmem from "linmem/vite";
import { findChromium } from "../../src/command/chromium.js";
import { bytesOfText } from "../support.js";
import { APP, serveApp } from "./vite-server.js";

const GUEST = `(module (memory (export "memory") 1 9) (global $next (mut i32) (i32.const 4096))
  (func $malloc (export "malloc") (param $size i32) (result i32)
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func $free (export "free") (param i32))
  (func (export "text") (result i32) (call $malloc (i32.const 100))))`;

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

function missing() {
  try {
    findChromium();
  } catch (error) {
    return error.message;
  }
  return !existsSync(path("../../dist/browser.js")) && "there is no dist/browser.js: npm run build";
}

test("the app's module is what this file says", () => {
  assert.deepEqual(readFileSync(join(APP, "src/guest.wasm")), Buffer.from(bytesOfText(GUEST)));
});

test("a build has nothing of linmem", async () => {
  const outDir = mkdtempSync(join(tmpdir(), "linmem-build-"));
  const built = async (plugins, name) => {
    await build({ configFile: false, root: APP, logLevel: "silent", plugins, build: { outDir: join(outDir, name), emptyOutDir: true } });
    const files = readdirSync(join(outDir, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return new Map(files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name), "latin1")]));
  };
  try {
    const [without, withIt] = [await built([], "without"), await built([linmem()], "with")];
    assert.ok(withIt.size >= 4);
    assert.deepEqual(withIt, without);
    assert.doesNotMatch([...withIt.values()].join(), /linmem/);
  } finally {
    rmSync(outDir, { recursive: true });
  }
});

for (const [options, message] of [
  [{ top: -1 }, /top: -1 is not a number of call stacks/],
  [{ mallocc: "x" }, /there is no option mallocc: the options are top, malloc, .*alignedAlloc/],
  [{ malloc: {} }, /malloc: \[object Object\] is not the name or the index of a function/],
]) {
  test(`options ${JSON.stringify(options)}`, () => assert.throws(() => linmem(options), message));
}

describe("in Chromium", { skip: missing() }, () => {
  let browser, app, page;

  before(async () => {
    browser = await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
    page = await browser.newPage();
    app = await serveApp();
  });

  afterEach(async () => {
    await page.goto("about:blank");
    app.forget();
  });

  after(async () => {
    await browser?.close();
    await app?.close();
  });

  async function open(query, { address } = app) {
    await page.goto(address + query);
    await page.waitForFunction(() => document.querySelector("#app").textContent === "done");
  }

  const CASES = [
    { name: "a page", query: "", line: "src/greeting.ts:18" },
    { name: "a worker by `?worker`", query: "&worker=query", line: "src/greeting.ts:18" },
    { name: "a worker by `new URL`", query: "&worker=url", line: "src/greeting.ts:18" },
    { name: "a classic worker", query: "&worker=classic", line: "src/classic.js:5" },
  ];

  for (const { name, query, line } of CASES) {
    test(`${name}: a leak is told when the page is left`, async () => {
      await open(`?leak${query}`);
      await page.goto(`${app.address}empty.html`);
      await app.until(1);
      const [report] = app.warnings;
      assert.match(report, /^linmem: page \/\?leak/);
      assert.match(report, /warning\[leak-host-held\]: 2,000 bytes in 20 blocks/);
      assert.ok(report.includes(line), report);
      assert.equal(app.warnings.length, 1);
    });

    test(`${name}: of a healthy one there is one line`, async () => {
      await open(`?${query}`);
      await page.goto(`${app.address}empty.html`);
      await app.until(1);
      assert.deepEqual(app.warnings, []);
      assert.deepEqual(app.notices, [`linmem: page /${query === "" ? "" : `?${query}`}: wasm-a5c013ed.wasm: no problems found`]);
    });
  }

  test("a reload by the user, and the page after it", async () => {
    await open("?leak");
    await page.reload();
    await page.waitForFunction(() => document.querySelector("#app").textContent === "done");
    await open("?");
    await page.goto("about:blank");
    await app.until(3);
    assert.deepEqual(app.warnings.map((text) => text.includes("src/greeting.ts:18")), [true, true]);
    assert.equal(app.notices.length, 1);
  });

  test("a reload by Vite: each life has its report, with the lines that it had", async () => {
    await open("?leak");
    const file = join(app.root, "src/greeting.ts");
    const source = readFileSync(file, "utf8");
    const reloaded = page.waitForEvent("load");
    writeFileSync(file, `// One line more.\n${source}`);
    await reloaded;
    await page.waitForFunction(() => document.querySelector("#app").textContent === "done");
    await page.goto("about:blank");
    await app.until(2);
    writeFileSync(file, source);
    assert.deepEqual(app.warnings.map((text) => /allocated at (\S+)\)/.exec(text)[1]), ["src/greeting.ts:18", "src/greeting.ts:19"]);
  });

  test("a tab that is closed", async () => {
    const other = await browser.newPage();
    await other.goto(`${app.address}?leak`);
    await other.waitForFunction(() => document.querySelector("#app").textContent === "done");
    await other.close({ runBeforeUnload: true });
    await app.until(1);
    assert.match(app.warnings.join(), /leak-host-held.*src\/greeting\.ts:18/);
  });

  test("a page without WebAssembly has no line, and a page that is open when the server ends has a report", async () => {
    const own = await serveApp({ base: "/base/", options: { top: 1, malloc: "malloc", free: ["free"] } });
    await page.goto(`${own.address}empty.html`);
    await open("?leak&worker=query", own);
    assert.deepEqual(own.lines.filter(({ text }) => text.includes("linmem")), []);
    await own.close();
    assert.equal(own.warnings.length, 1);
    assert.match(own.warnings[0], /src\/greeting\.ts:18/);
    assert.match(own.warnings[0], /malloc +function 0 \(malloc\), named by the user/);
  });

  test("Ctrl-C ends the server after its report", async () => {
    const vite = spawn(process.execPath, [path("../../node_modules/vite/bin/vite.js"), "--host", "127.0.0.1", "--port", "0"], { cwd: APP, env: { ...process.env, NO_COLOR: "1" } });
    let told = "";
    for (const stream of [vite.stdout, vite.stderr]) stream.setEncoding("utf8").on("data", (text) => (told += text));
    const ended = new Promise((resolve) => vite.on("close", resolve));
    for (const end = Date.now() + 10_000; !told.includes("http://") && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 20));
    await open("?leak", { address: /http:\S+/.exec(stripVTControlCharacters(told))[0] });
    vite.kill("SIGINT");
    assert.equal(await ended, 130);
    assert.match(told, /linmem: page \/\?leak\n[^]*leak-host-held.*src\/greeting\.ts:18/);
  });

  test("a page cannot be left without what it has sent, large as it may be", async () => {
    await open("?leak");
    await page.evaluate(async () => {
      const { load } = await import("/src/greeting.ts");
      const { memory } = await load();
      memory.grow(8);
      globalThis.kept = [];
      for (let count = 0; count < 20; count++) {
        const other = await load();
        other.memory.grow(8);
        const view = new Uint8Array(other.memory.buffer);
        for (let at = 8192; at < view.length; at++) view[at] = (at * 7919) >> 3;
        globalThis.kept.push(other);
      }
    });
    await page.reload();
    await app.until(1);
    assert.match(app.warnings[0], /leak-host-held/);
    assert.doesNotMatch(app.warnings.join(), /was stopped/);
  });
});

test("Vitest in a browser: the leak of a test is told, with its line", { skip: missing() }, async () => {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: "1" };
  const vitest = path("../../node_modules/vitest/vitest.mjs");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [vitest, "run"], { cwd: APP, env });
  const told = stripVTControlCharacters(stdout + stderr);
  assert.match(told, /2 passed/);
  assert.match(told, /linmem: tests of src\/frees\.check\.ts: wasm-a5c013ed\.wasm: no problems found/);
  assert.match(told, /linmem: tests of src\/leaks\.check\.ts\n[^]*leak-host-held.*allocated at src\/leaks\.check\.ts:7\)/);
  assert.equal(told.match(/warning\[/g).length, 1);
});
