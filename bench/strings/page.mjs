// Measures in a page of Chromium.

import { chromium } from "playwright-core";
import { serve } from "../../packages/linmem/test/browser/server.js";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];

/** What `measure` answers, and the engine's name. The server's headers give the page a fine clock. */
export async function measureInPage(executablePath, options) {
  const folder = (relative) => new URL(relative, import.meta.url);
  const server = await serve({ bench: folder("../"), packages: folder("../../packages/") });
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  try {
    const page = await browser.newPage();
    await page.goto(server.address);
    const cells = await page.evaluate(async (options) => (await import("/bench/strings/measure.mjs")).measure(options), options);
    return { engine: `Chromium ${browser.version()}`, version: "headless", cells };
  } finally {
    await browser.close();
    server.close();
  }
}
