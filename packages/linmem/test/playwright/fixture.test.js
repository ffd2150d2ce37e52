// linmem/playwright: real runs of Playwright's tests in Chromium, on pages that are faulty and on healthy ones.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findChromium } from "../../src/command/chromium.js";
import { GUEST } from "../browser/guest-module.js";
import { servePages } from "../browser/page-server.js";
import { makeProject } from "./project.js";

const START = `
import { test, expect } from "linmem/playwright";
const open = async (page, path) => {
  const done = page.waitForRequest(/\\/done$/);
  await page.goto(process.env.SERVER + path);
  await done;
};
`;

// Pages with workers and frames, and the lines that forget to free.
const PAGES = { "moduleworker.html": "imports.js:6", "blob.html": "guest.js:6", "elsewhere.html": "guest.js:6" };

const FILES = {
  "pages.spec.js": `${START}
    for (const path of ["policy.html?leak", "policy.html", "last.html"]) test(path, async ({ page }) => open(page, path));`,

  "workers.spec.js": `${START}
    test.use({ linmem: { failOn: "never" } });
    for (const [path, line] of ${JSON.stringify(Object.entries(PAGES))}) {
      test(path, async ({ page }) => {
        await open(page, path);
        expect((await page.linmem.json()).report.findings).toEqual([]);
        await open(page, path + "?leak");
        const { report } = await page.linmem.json();
        expect(report.findings.map(({ code }) => code)).toEqual(["leak-host-held"]);
        expect(report.findings[0].message).toContain(\`(allocated at \${line})\`);
      });
    }
    for (const path of ["sharedworker.html?leak", "serviceworker.html?leak"]) {
      test(path, async ({ page }) => {
        await open(page, path);
        expect(await page.linmem.report()).toMatch(/leak-host-held.*guest\\.js:6|worker .* is not watched: its code may have run|linmem's library has not come yet/);
      });
    }
    test.describe("collected", () => {
      test.use({ linmem: { failOn: "never", collect: true } });
      test("finalizers", async ({ page, linmemWatch }) => {
        await page.goto(process.env.SERVER + "last.html");
        await page.evaluate(async () => {
          const { instance } = await WebAssembly.instantiateStreaming(fetch("guest.wasm"));
          globalThis.registry = new FinalizationRegistry((block) => instance.exports.free(block));
          for (let time = 0; time < 20; time++) {
            const object = {};
            globalThis.registry.register(object, instance.exports.text());
            console.log(object);
          }
        });
        expect(await page.linmem.report()).toContain("20 allocations (2,000 bytes), 0 reallocations, 0 frees");
        await linmemWatch.end();
        expect(await page.linmem.report()).toContain("20 allocations (2,000 bytes), 0 reallocations, 20 frees");
      });
    });`,

  "asks.spec.js": `${START}
    test.use({ linmem: { failOn: "never" } });
    test("asks", async ({ page }) => {
      await open(page, "policy.html?leak");
      expect(await page.linmem.report()).toContain("warning[leak-host-held]: 2,000 bytes in 20 blocks");
      const { report } = await page.linmem.json();
      expect(report.truncated).toBe(false);
      expect(report.findings.map(({ code }) => code)).toEqual(["leak-host-held"]);
      const [{ name, bytes }, ...others] = await page.linmem.trace();
      expect(name).toMatch(/^\\d+-\\d+\\.trace$/);
      expect(Buffer.from(bytes.subarray(0, 6)).toString()).toBe("linmem");
      expect(others).toEqual([]);
    });
    test("the one after it", async ({ page }) => {
      expect(await page.linmem.report()).toBe("linmem: the page made no WebAssembly instance to watch\\n");
      await open(page, "policy.html");
      expect((await page.linmem.json()).report.findings).toEqual([]);
    });
    test("both documents", async ({ page }) => {
      await open(page, "policy.html?leak");
      await open(page, "frames.html?leak");
      const { report } = await page.linmem.json();
      expect(report.findings.map(({ message }) => /[a-z]+\\.js:\\d+/.exec(message)[0]).sort()).toEqual(["guest.js:6", "policy.js:5"]);
      expect(report.truncated).toBe(false);
    });
    test("pages that are closed, popups, other contexts", async ({ page, context, browser }) => {
      const other = await browser.newContext();
      await open(await other.newPage(), "blob.html?leak");
      await other.close();
      const second = await context.newPage();
      await open(second, "policy.html?leak");
      await second.close();
      const popup = context.waitForEvent("page");
      await page.goto(process.env.SERVER + "last.html");
      await page.evaluate(() => void window.open("text.html?leak"));
      await (await popup).waitForRequest(/\\/done$/);
      const { report } = await page.linmem.json();
      expect(report.findings.map(({ code }) => code)).toEqual(["leak-host-held", "leak-host-held", "leak-host-held"]);
      expect(report.truncated).toBe(false);
    });
    test("what the page says to its console", async ({ page }) => {
      const said = page.waitForEvent("console");
      await page.goto(process.env.SERVER + "last.html");
      await page.evaluate(() => console.log({ a: 1 }));
      expect(await (await said).args()[0].jsonValue()).toEqual({ a: 1 });
    });`,

  "options.spec.js": `${START}
    const works = async ({ page }) => {
      await page.goto(process.env.SERVER + "last.html");
      await page.evaluate(async () => {
        const context = new OfflineAudioContext(1, 128, 44100);
        await context.audioWorklet.addModule("data:text/javascript,registerProcessor('x', class extends AudioWorkletProcessor {})");
        new AudioWorkletNode(context, "x");
      });
      await page.waitForTimeout(300);
    };
    test("a worklet", works);
    test.describe("allowed", () => {
      test.use({ linmem: { allowUnwatched: true } });
      test("an allowed worklet", works);
    });
    test.describe("off", () => {
      test.use({ linmem: false });
      test("off", async ({ page }) => {
        await open(page, "policy.html?leak");
        await expect(page.linmem.report()).rejects.toThrow("linmem watches nothing here: the option \`linmem\` is false");
      });
    });
    test.describe("wrong", () => {
      test.use({ linmem: { failon: "error" } });
      test("wrong", async ({ page }) => open(page, "policy.html"));
    });
    test.describe("errors only", () => {
      test.use({ linmem: {} });
      test("a warning is not an error", async ({ page }) => open(page, "policy.html?leak"));
    });
    test("fails itself", async ({ page }) => {
      await open(page, "policy.html?leak");
      expect(1).toBe(2);
    });`,
};

function missing() {
  try {
    findChromium();
  } catch (error) {
    return error.message;
  }
  return !existsSync(fileURLToPath(new URL("../../dist/browser.js", import.meta.url))) && "there is no dist/browser.js: npm run build";
}

const POLICY = { "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'" };

describe("Playwright's tests in Chromium", { skip: missing() }, () => {
  let server, project, output, results;

  before(async () => {
    server = await servePages({ "/": new URL("../browser/pages/", import.meta.url) }, { "/guest.wasm": GUEST }, (path) => (path === "/policy.html" ? POLICY : {}));
    const launchOptions = { executablePath: findChromium(), args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] };
    project = makeProject(FILES, { linmem: { failOn: "warning" }, launchOptions });
    ({ output, results } = await project.run({ SERVER: server.address }));
  });

  after(() => {
    server?.close();
    project?.remove();
  });

  const errorsOf = ({ errors }) => errors.map(({ message }) => message).join("\n");

  function passes(title) {
    const result = results.get(title);
    assert.equal(result?.status, "passed", result === undefined ? output : errorsOf(result));
    assert.deepEqual([result.stdout, result.stderr, result.attachments], [[], [], []]);
  }

  function failure(title) {
    const result = results.get(title);
    assert.equal(result?.status, "failed", output);
    return errorsOf(result);
  }

  test("a leak fails the test, with the line in its output", () => {
    const said = /warning\[leak-host-held\]: 2,000 bytes in 20 blocks never given back: .*\(allocated at policy\.js:5\)/;
    assert.match(failure("policy.html?leak"), said);
    assert.match(output, said);
  });

  test("a healthy page passes, and nothing is said", () => passes("policy.html"));

  test("a page without WebAssembly passes, and nothing is said", () => passes("last.html"));

  for (const page of Object.keys(PAGES)) test(`${page}: its leak is found, and only that`, () => passes(page));

  for (const page of ["sharedworker.html?leak", "serviceworker.html?leak"]) test(`${page}: its leak is found, or the worker is told`, () => passes(page));

  test("finalizers run before a recording ends, if that is asked for", () => passes("finalizers"));

  test("the report is attached, as text and as JSON", () => {
    const [text, json] = results.get("policy.html?leak").attachments.map(({ body }) => Buffer.from(body ?? "", "base64").toString());
    assert.match(text, /^linmem: .*1 warning/);
    assert.equal(JSON.parse(json).report.findings[0].code, "leak-host-held");
  });

  for (const title of ["asks", "the one after it", "both documents", "pages that are closed, popups, other contexts", "what the page says to its console"]) {
    test(`a test of its own: ${title}`, () => passes(title));
  }

  test("tests of one process do not mix", () => {
    const [first, second] = ["asks", "the one after it"].map((title) => results.get(title).workerIndex);
    assert.equal(first, second);
  });

  test("a worklet, which cannot be watched, fails the test", () => {
    assert.match(failure("a worklet"), /linmem: (audio )?worklet .* is not watched: .*\n.*the option `allowUnwatched` lets it pass/);
  });

  test("unless that is allowed", () => passes("an allowed worklet"));

  test("linmem can be off", () => passes("off"));

  test("a warning does not fail a test that fails on errors", () => passes("a warning is not an error"));

  test("an option that there is not is told", () => assert.match(failure("wrong"), /linmem has no option failon: it has failOn, collect, /));

  test("a test that fails by itself says why, and has the report attached", () => {
    assert.doesNotMatch(failure("fails itself"), /leak-host-held/);
    assert.ok(results.get("fails itself").attachments.some(({ name }) => name === "linmem report"));
  });
});
