// The library in Chromium, without bundling: vectors in every kind of memory, and the README's example.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./browser/server.js";
import { EXAMPLE_LINES, example, installPacked } from "./readme.js";

const executablePath = process.env.CHROMIUM ?? findChromium();

function findChromium() {
  try {
    return execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

const folder = (relative) => new URL(relative, import.meta.url);

describe("in Chromium", { skip: !executablePath && "no chromium in PATH; name one in the variable CHROMIUM" }, () => {
  let project, server, browser, page;

  before(async () => {
    project = installPacked();
    const installed = pathToFileURL(`${project.directory}/node_modules/linmem/`);
    server = await serve({ installed, test: folder("./"), testdata: folder("../../../testdata/") });
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
    browser = await chromium.launch({ executablePath, args });
    page = await browser.newPage();
    await page.goto(server.address);
  });

  after(async () => {
    await browser?.close();
    server?.close();
    project?.remove();
  });

  for (const kind of ["plain", "shared", "resizable"]) {
    test(`vectors in a ${kind} memory`, async (t) => {
      const result = await page.evaluate(async (kind) => {
        const { has, runVectors } = await import("/test/browser/page.js");
        return has(kind) ? runVectors(kind) : undefined;
      }, kind);
      if (result === undefined) return t.skip("this Chromium has none");
      assert.deepEqual(result.failures, []);
      t.diagnostic(`${result.count} vectors`);
    });
  }

  test("memories that change their kind", async (t) => {
    const pairs = await page.evaluate(async () => {
      const { flipKinds, has } = await import("/test/browser/page.js");
      return has("resizable") ? flipKinds() : undefined;
    });
    if (pairs === undefined) return t.skip("this Chromium has no resizable memory");
    for (const [text, read] of pairs) assert.equal(read, text);
  });

  test("the guest's strlen is asked about long strings only, and not believed blindly", async () => {
    const answers = await page.evaluate(async () => (await import("/test/browser/page.js")).askStrlen());
    assert.equal(answers.length, 7);
    for (const { name, asked, read } of answers) {
      assert.deepEqual(read, ["text", "é".repeat(500)], name);
      assert.equal(asked, 1, name);
    }
  });

  test("the README's example, from the packed package", async () => {
    const lines = [];
    page.on("console", (message) => message.type() === "log" && lines.push(message.text()));
    const load = `const bytes = await (await fetch("${server.address}test/guests/libc.wasm")).arrayBuffer();`;
    await page.evaluate(
      (source) => import(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))),
      example(load),
    );
    assert.deepEqual(lines, EXAMPLE_LINES);
  });
});
