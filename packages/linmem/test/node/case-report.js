// Reads reports of the programs in programs/cases.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { reportWith, runUnder } from "./support.js";

/** The report on a program, which must end as it should. */
export function reportOf(name, way, ...options) {
  const { status, stderr, traces } = runUnder(options, `cases/${name}.mjs`, way);
  assert.deepEqual([status, stderr], [0, ""]);
  return reportWith(["--top", "100"], traces);
}

/** Where the only line of a program that ends with these words is, as stacks have it. */
export function at(name, words) {
  const lines = readFileSync(new URL(`programs/cases/${name}.mjs`, import.meta.url), "utf8").split("\n");
  const found = lines.flatMap((line, index) => (line.endsWith(words) ? [index + 1] : []));
  assert.equal(found.length, 1, `lines of ${name}.mjs with ${words}: ${found}`);
  return `${name}.mjs:${found[0]}`;
}

/** Words with files by their names. */
export const withoutFolders = (text) => text.replace(/[^ (]*\//g, "");

/** A stack as a list of words, with files by their names. */
export const frames = (stack) => stack.map((frame) => withoutFolders(frame.function));

/** The codes of the errors and warnings. */
export const problems = ({ findings }) => findings.filter(({ severity }) => severity !== "note").map(({ code }) => code);

/** The codes of all findings. */
export const codes = ({ findings }) => findings.map(({ code }) => code);

/** The findings of a kind. */
export const found = ({ findings }, code) => findings.filter((finding) => finding.code === code);

/** The only finding of a kind. */
export function theOnly(report, code) {
  const all = found(report, code);
  assert.equal(all.length, 1, `${all.length} findings of ${code}`);
  return all[0];
}

/** What the only finding of a kind says, with files by their names. */
export const messageOf = (report, code) => withoutFolders(theOnly(report, code).message);

/** The stack of a finding with this label. */
export const stackOf = ({ stacks }, label) => frames(stacks.find((stack) => stack.label.replace(/ \(.*/, "") === label).stack);

/** How many allocations come from stacks that begin like this, in the only memory or in the one of this number. */
export function allocationsFrom(report, beginning, memory = 0) {
  const sites = report.memories[memory].hot_sites.allocations.filter(({ stack }) => beginsWith(frames(stack), beginning));
  return sites.reduce((sum, { allocations }) => sum + allocations, 0);
}

const beginsWith = (list, beginning) => beginning.every((frame, index) => list[index] === frame);

/** Asserts how a stack begins. */
export const assertBegins = (stack, beginning) => assert.deepEqual(stack.slice(0, beginning.length), beginning);

/** Asserts that nothing is wrong, and that nothing is left. */
export function assertHealthy(report) {
  assert.deepEqual(problems(report), []);
  assert.deepEqual([report.end, report.truncated], [{ kind: "exit", code: 0 }, false]);
  const { allocations, frees, at_end } = report.totals;
  assert.deepEqual([frees, at_end.blocks], [allocations, 0]);
}
