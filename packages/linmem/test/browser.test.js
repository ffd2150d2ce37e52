// The library in Chromium, without bundling: vectors in every kind of memory, and the README's example.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { serve } from "./browser/server.js";
import { EXAMPLE_OUTPUT, readmeExample } from "./readme.js";

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
  let server, browser, page;

  before(async () => {
    server = await serve({ src: folder("../src/"), test: folder("./"), testdata: folder("../../../testdata/") });
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
    browser = await chromium.launch({ executablePath, args });
    page = await browser.newPage();
    await page.goto(server.address);
  });

  after(async () => {
    await browser?.close();
    server?.close();
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

  test("the README's example", async () => {
    const source = readmeExample().replace("linmem/strings", `${server.address}src/strings.js`);
    const lines = [];
    page.on("console", (message) => message.type() === "log" && lines.push(`${message.text()}\n`));
    await page.evaluate(async (source) => {
      const load = `const bytes = await (await fetch("${location.origin}/test/guests/libc.wasm")).arrayBuffer();`;
      await import(URL.createObjectURL(new Blob([source.replace("\n\n", `\n${load}\n`)], { type: "text/javascript" })));
    }, source);
    assert.equal(lines.join(""), EXAMPLE_OUTPUT);
  });
});
