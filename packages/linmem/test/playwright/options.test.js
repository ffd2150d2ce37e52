// What the option `linmem` may be, and what becomes of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { failureOf } from "../../src/playwright/failure.js";
import { optionsOf } from "../../src/playwright/options.js";

test("defaults", () => {
  assert.deepEqual(optionsOf({}, "chromium"), { failOn: "error", collect: false, allowUnwatched: false, top: 3, allocator: {}, hints: [] });
});

test("functions of an allocator: one or several, by name or index", () => {
  const { hints } = optionsOf({ allocator: { malloc: "xa", free: ["ya", 7] } }, "chromium");
  assert.deepEqual(hints, [["malloc", "xa"], ["free", "ya"], ["free", "7"]]);
});

for (const [given, message] of [
  [{ failon: "error" }, /linmem has no option failon: it has failOn, collect/],
  [{ failOn: "note" }, /linmem: failOn is "note", and can be error, warning, never/],
  [{ top: "3" }, /linmem: top is "3"/],
  [{ top: -1 }, /linmem: top is -1/],
  [{ allocator: { new: "xa" } }, /linmem: allocator has no role new: there are malloc, /],
]) {
  test(`refused: ${JSON.stringify(given)}`, () => assert.throws(() => optionsOf(given, "chromium"), { message }));
}

for (const browser of ["firefox", "webkit"]) {
  test(`${browser} is refused, in one line, unless linmem is off`, () => {
    const message = `linmem/playwright watches Chromium only, and this project runs ${browser}: say \`linmem: false\` in its \`use\``;
    assert.throws(() => optionsOf({}, browser), { message });
    assert.equal(optionsOf(false, browser), undefined);
  });
}

const reportWith = (severities, unwatched = []) => ({ text: "the report", json: JSON.stringify({ report: { findings: severities.map((severity) => ({ severity })) } }), unwatched });

for (const [failOn, severities, fails] of [
  ["error", ["error"], true],
  ["error", ["warning", "note"], false],
  ["warning", ["error"], true],
  ["warning", ["note", "warning"], true],
  ["warning", ["note"], false],
  ["never", ["error", "warning"], false],
]) {
  test(`failOn ${failOn}: ${severities.join(", ")}`, () => {
    const failure = failureOf(reportWith(severities), { failOn, allowUnwatched: false });
    assert.equal(failure?.message, fails ? "the report" : undefined);
  });
}

test("what is not watched fails a test", () => {
  const told = "worker http://localhost/w.js is not watched: ReferenceError";
  const report = reportWith([], [told]);
  const { message } = failureOf(report, { failOn: "error", allowUnwatched: false });
  assert.equal(message.split("\n")[0], `linmem: ${told}`);
  assert.ok(message.endsWith("\nthe report"));
  assert.equal(failureOf(report, { failOn: "error", allowUnwatched: true }), undefined);
  assert.equal(failureOf(report, { failOn: "never", allowUnwatched: false }), undefined);
  assert.equal(failureOf(reportWith([]), { failOn: "warning", allowUnwatched: false }), undefined);
});
