// `linmem browser`: real pages in Chromium, each faulty and healthy. The report names the line of the page's own source.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { findChromium } from "../src/command/chromium.js";
import { withCustomSection } from "../src/record/sections.js";
import { GUEST } from "./browser/guest-module.js";
import { servePages } from "./browser/page-server.js";
import { bytesOfText } from "./support.js";

const folder = (relative) => new URL(relative, import.meta.url);
const path = (relative) => fileURLToPath(folder(relative));

const COMMAND = path("../src/command/main.js");
const PACKAGES = "../../../examples/npm/node_modules/";

const SHARED = bytesOfText(
  `(module (import "host" "memory" (memory 2 2 shared))
    (func $malloc (export "malloc") (param $size i32) (result i32)
      (i32.add (i32.const 4096) (i32.atomic.rmw.add (i32.const 1024) (local.get $size))))
    (func $free (export "free") (param i32))
    (func (export "text") (result i32) (call $malloc (i32.const 100))))`,
  { threads: true },
);

// Larger than what a page may compile at once in its own thread.
const LARGE = withCustomSection(withCustomSection(GUEST, "filler", new Uint8Array(9 << 20)), "question", "6 by 9");

const POLICY = { "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'" };
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "cross-origin" };

const headersOf = (pathname) => ({ ...(pathname === "/policy.html" && POLICY), ...ISOLATED });

function missing() {
  try {
    findChromium();
  } catch (error) {
    return error.message;
  }
  return !existsSync(path("../dist/browser.js")) && "there is no dist/browser.js: npm run build";
}

const withoutPackages = !existsSync(path(PACKAGES)) && "no packages: npm ci in examples/npm";

// A script as bundlers make it of TypeScript: one line, with a map beside it.
async function bundled() {
  const { outputFiles } = await build({ entryPoints: [path("browser/pages/src/bundled.ts")], outdir: path("browser/pages"), bundle: true, minify: true, sourcemap: true, write: false, format: "esm" });
  return Object.fromEntries(outputFiles.map(({ path: file, text }) => [`/${file.endsWith(".map") ? "bundled.js.map" : "bundled.js"}`, text]));
}

describe("recording in Chromium", { skip: missing() }, () => {
  let server;
  const directory = mkdtempSync(join(tmpdir(), "linmem-browser-"));

  before(async () => {
    const folders = { "/node_modules/": folder(PACKAGES), "/linmem/": folder("../"), "/pthreads/": folder("browser/pthreads/"), "/": folder("browser/pages/") };
    server = await servePages(folders, { "/guest.wasm": GUEST, "/large.wasm": LARGE, "/shared.wasm": SHARED, ...(await bundled()) }, headersOf);
  });

  after(() => {
    server?.close();
    rmSync(directory, { recursive: true });
  });

  const linmem = (...words) => spawn(process.execPath, [COMMAND, "browser", "--headless", ...words], { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });

  async function ended(child) {
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    const status = await new Promise((resolve) => child.on("close", resolve));
    return { status, stderr };
  }

  let count = 0;

  /** Opens a page until it says that it is at its end; then Ctrl-C. */
  async function reported(page, ...options) {
    const json = join(directory, `${count++}.json`);
    const done = server.done();
    const child = linmem("--timeout", "60", "--json", json, ...options, server.address + page, "--", "--disable-popup-blocking");
    done.then(() => child.kill("SIGINT"));
    const { status, stderr } = await ended(child);
    const report = existsSync(json) ? JSON.parse(readFileSync(json, "utf8")).report : undefined;
    return { status, stderr, report };
  }

  const serious = ({ findings }) => findings.filter(({ severity }) => severity !== "note");

  const CASES = [
    { page: "yoga.html", name: "an embind module, `delete` forgotten", code: "leak-host-held", line: "yoga.js:6", skip: withoutPackages },
    { page: "manifold.html", name: "embind with functions that are made of texts", code: "leak-host-held", line: "manifold.js:10", skip: withoutPackages },
    { page: "policy.html", name: "a strict Content-Security-Policy", code: "leak-host-held", line: "policy.js:5" },
    { page: "large.html", name: "a module of 9 MB that is asked for its sections", code: "leak-host-held", line: "large.js:12" },
    { page: "module.html", name: "a module that is compiled in the page and sent to a worker", code: "leak-host-held", line: "compiled.js:5" },
    { page: "worker.html", name: "a wasm-bindgen module in a module worker", code: "grows-with-calls", line: "tokens.js:9", skip: withoutPackages },
    { page: "blob.html", name: "a script in a worker that was made of a text", code: "leak-host-held", line: "guest.js:6" },
    { page: "text.html", name: "a worker that was made of a text", code: "leak-host-held", line: /blob:[0-9a-f]{8}:6/ },
    { page: "stale.html", name: "a view that is older than a growth", code: "stale-view", line: "stale.js:9" },
    { page: "frames.html", name: "a frame without a URL", code: "leak-host-held", line: "guest.js:6" },
    { page: "elsewhere.html", name: "a frame of another site, in a process of its own", code: "leak-host-held", line: "guest.js:6" },
    { page: "sharedworker.html", name: "a shared worker", code: "leak-host-held", line: "guest.js:6" },
    { page: "serviceworker.html", name: "a service worker", code: "leak-host-held", line: "guest.js:6" },
    { page: "bundled.html", name: "a bundle with a source map", code: "leak-host-held", line: "src/bundled.ts:13" },
    { page: "threads.html", name: "a memory that a worker shares", code: "leak-host-held", line: "thread.js:5" },
    { page: "pool.html", name: "Emscripten's threads, started by the page", code: "leak-definite", line: "make_texts" },
    { page: "leaves.html", name: "a page that is left", code: "leak-host-held", line: "guest.js:6" },
  ];

  for (const { page, name, code, line, skip = false } of CASES) {
    test(name, { skip }, async () => {
      const { report, stderr } = await reported(`${page}?leak`);
      const [first] = serious(report);
      assert.equal(first?.code, code, stderr);
      assert.match(JSON.stringify(first), line instanceof RegExp ? line : new RegExp(`\\b${line.replace(".", "\\.")}\\b`));
    });

    test(`${name}: the healthy one is silent`, { skip }, async () => {
      const { status, report, stderr } = await reported(page);
      assert.deepEqual(serious(report), [], stderr);
      assert.equal(report.truncated, false);
      assert.equal(status, 0);
    });
  }

  test("a worker that closes itself has a snapshot", async () => {
    const { report } = await reported("terminated.html?closes");
    assert.match(serious(report)[0].message, /guest\.js:6/);
  });

  test("a worker that is terminated has none, and the report says so", async () => {
    const { report, stderr } = await reported("terminated.html");
    assert.match(stderr, /not judged: its thread was ended before linmem could look at it/);
    assert.deepEqual(serious(report), []);
    assert.deepEqual(report.memories.map(({ totals }) => totals.allocations), [20]);
  });

  // The program terminates its workers as soon as it has printed; its main function waits in one of them.
  for (const query of ["", "?leak"]) {
    test(`Emscripten's workers, terminated at the program's end, have no event missing ${query}`, async () => {
      const { report, stderr } = await reported(`proxy.html${query}`);
      assert.deepEqual(serious(report).filter(({ code }) => code !== "leak-definite"), [], stderr);
      const made = report.findings.filter(({ message, stacks }) => /in 100 blocks/.test(message) && JSON.stringify(stacks).includes("make_texts"));
      assert.equal(made.length, query === "" ? 0 : 1, stderr);
      assert.doesNotMatch(stderr, /before its last records came/);
      assert.equal(report.truncated, false);
    });
  }

  test("a worker that waits at the end does not keep the others' events from being judged", async () => {
    const { report, stderr } = await reported("waits.html?leak");
    assert.deepEqual(serious(report).map(({ code, numbers }) => [code, numbers.blocks]), [["leak-host-held", 20]], stderr);
    assert.doesNotMatch(stderr, /before its last records came/);
  });

  test("threads that share a memory make one history", async () => {
    const { report } = await reported("threads.html?leak");
    assert.deepEqual(report.memories.map(({ users, totals }) => [users.length, totals.allocations, totals.frees]), [[2, 40, 20]]);
  });

  test("what is left to finalizers can be collected first", { skip: withoutPackages }, async () => {
    const [before, after] = [await reported("worker.html?leak"), await reported("worker.html?leak", "--collect")];
    const isWaiting = ({ code, message }) => code === "waits-for-finalizer" && message.includes("alive at the end");
    // How many of them the engine has collected by itself is up to it.
    assert.ok(before.report.findings.some(({ code, numbers }) => code === "waits-for-finalizer" && numbers.objects === 12), before.stderr);
    assert.ok(!after.report.findings.some(isWaiting), after.stderr);
    assert.equal(after.report.truncated, false);
  });

  test("a page without WebAssembly, for some seconds", async () => {
    const { status, stderr } = await ended(linmem("--timeout", "1", `${server.address}last.html`));
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "linmem: the page made no WebAssembly instance to watch\n" });
  });

  test("a page that is not there", async () => {
    const { status, stderr } = await ended(linmem("http://127.0.0.1:9/"));
    assert.equal(status, 2);
    assert.match(stderr, /^linmem: cannot open http:\/\/127\.0\.0\.1:9\/: net::ERR_/);
  });

  test("recordings can be kept, and reported on again", async () => {
    const { stderr } = await reported("policy.html?leak", "--traces", "kept");
    assert.deepEqual(readdirSync(join(directory, "kept")).map((name) => /^\d+-\d+\.trace$/.test(name)), [true]);
    const again = spawn(process.execPath, [COMMAND, "report", "kept"], { cwd: directory });
    assert.equal((await ended(again)).stderr, stderr);
  });

  test("without a driver: the page records itself, and reports", async () => {
    const browser = await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
    try {
      const page = await browser.newPage();
      for (const [query, code] of [["?leak", "leak-host-held"], ["", undefined]]) {
        await page.goto(`${server.address}auto.html${query}`);
        await page.waitForFunction(() => globalThis.ended !== undefined);
        const { report, json, bytes } = await page.evaluate(() => globalThis.ended);
        assert.equal(serious(json.report)[0]?.code, code, report);
        assert.equal(/^warning.*auto\.js:9/m.test(report), code !== undefined);
        assert.doesNotMatch(report, /src\/record\//);
        assert.ok(bytes > 100);
      }
    } finally {
      await browser.close();
    }
  });
});
