// `import { test, expect } from "linmem/playwright"`: Playwright's test, with every WebAssembly instance in the browser under
// observation.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test as base } from "@playwright/test";
import { textOf } from "./driver/report-text.js";
import { BrowserWatch } from "./playwright/browser-watch.js";
import { Channel } from "./playwright/channel.js";
import { failureOf } from "./playwright/failure.js";
import { optionsOf } from "./playwright/options.js";

export { expect } from "@playwright/test";

export const test = base.extend({
  linmem: [{}, { option: true }],

  // Takes a while, and serves all tests of a browser.
  linmemChannel: [
    async ({ browser }, use) => {
      let opened;
      await use(() => (opened ??= Channel.open(browser)));
      await (await opened)?.close();
    },
    { scope: "worker" },
  ],

  linmemWatch: [
    async ({ linmem, browser, browserName, linmemChannel }, use, info) => {
      const options = optionsOf(linmem, browserName);
      if (options === undefined) return use(undefined);
      const watch = await BrowserWatch.begin(browser, await linmemChannel(), options);
      try {
        await use(watch);
        await watch.end();
        await judge(watch, options, info);
      } finally {
        await watch.end();
        watch.remove();
      }
    },
    { auto: true, title: "linmem" },
  ],

  context: async ({ context, linmemWatch }, use) => {
    await linmemWatch?.meet(context);
    await use(context);
    await linmemWatch?.end();
  },

  page: async ({ page, linmemWatch }, use) => {
    page.linmem = linmemWatch === undefined ? OFF : shown(linmemWatch);
    await use(page);
    await linmemWatch?.end();
  },
});

const shown = (watch) =>
  Object.freeze({
    report: async () => textOf(await watch.report(), "page"),
    json: async () => JSON.parse((await watch.report()).json),
    async trace() {
      const directory = await watch.recorded();
      return readdirSync(directory).map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(directory, name))) }));
    },
  });

const off = async () => {
  throw new Error("linmem watches nothing here: the option `linmem` is false");
};
const OFF = Object.freeze({ report: off, json: off, trace: off });

async function judge(watch, options, info) {
  if (watch.isEmpty) return;
  const report = await watch.report();
  const { json, unwatched } = report;
  const text = textOf(report, "page");
  const failure = failureOf({ text, json, unwatched }, options);
  if (failure === undefined) return;
  await info.attach("linmem report", { body: text, contentType: "text/plain" });
  await info.attach("linmem report as JSON", { body: json, contentType: "application/json" });
  // A test that has failed before may have left its work half done.
  if (info.status === info.expectedStatus) throw failure;
}
