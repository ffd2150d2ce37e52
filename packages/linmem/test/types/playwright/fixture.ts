// The declarations of linmem/playwright: what must compile and what must not.

import { defineConfig } from "@playwright/test";
import { expect, test, type LinmemOptions } from "linmem/playwright";

test.use({ linmem: { failOn: "warning", collect: true, allowUnwatched: false, top: 5, allocator: { malloc: "xa", free: ["ya", 7] } } });
test.use({ linmem: false, viewport: { width: 300, height: 200 } });
// @ts-expect-error: there is no such severity
test.use({ linmem: { failOn: "note" } });
// @ts-expect-error: there is no such role
test.use({ linmem: { allocator: { new: "xa" } } });
// @ts-expect-error: there is no such option
test.use({ linmem: { colour: true } });

test("a page", async ({ page, context, request }) => {
  await page.goto("http://localhost/");
  const text: string = await page.linmem.report();
  const { report } = await page.linmem.json();
  for (const { name, bytes } of await page.linmem.trace()) expect(`${name} ${bytes.length}`).toBeTruthy();
  expect(text).toContain("linmem");
  expect(report).toBeDefined();
  // @ts-expect-error: the page is watched, and not the context
  context.linmem;
  await request.get("/");
});

export default defineConfig<{ linmem: LinmemOptions | false }>({ use: { linmem: { failOn: "never" } } });
