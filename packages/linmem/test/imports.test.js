// What imports what: the recorder is free of Node, nothing goes in circles, and no two files share a name.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { HOOKS } from "../src/record/names.js";

const root = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".js")).map((name) => name.split(sep).join("/"));
const sources = new Map(files.map((name) => [name, readFileSync(join(root, name), "utf8")]));

// Whole statements, over several lines or not; what is exported from elsewhere, and what is imported later.
const IMPORT = /^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

function resolved(from, to) {
  if (!to.startsWith(".")) return to;
  const path = fileURLToPath(new URL(to, pathToFileURL(join(root, from))));
  return relative(root, path).split(sep).join("/");
}

// What is built.
const BUILT = { "browser/auto.js": ["../dist/browser.js"] };

const importsIn = (name, source) => [...source.matchAll(IMPORT)].map((match) => resolved(name, match[1] ?? match[2] ?? match[3]));

const imports = new Map([...sources].map(([name, source]) => [name, importsIn(name, source).filter((target) => !BUILT[name]?.includes(target))]));

// What the user has installed.
const PEERS = { "playwright.js": ["@playwright/test"], "vite/test-setup.js": ["vitest"] };

const folderOf = (name) => (name.includes("/") ? name.slice(0, name.indexOf("/")) : "");
const importsOf = (folder) => [...imports].filter(([name]) => folderOf(name) === folder).flatMap(([name, targets]) => targets.map((target) => [name, target]));

test("each import is found, in a file that is there", () => {
  for (const [name, source] of sources) {
    assert.equal(source.match(/^import\b/gm)?.length ?? 0, source.match(/^import\b[^;]*"[^"]+";$/gm)?.length ?? 0, name);
  }
  const targets = [...imports].flatMap(([name, targets]) => targets.filter((target) => !target.startsWith("node:") && !PEERS[name]?.includes(target)));
  assert.deepEqual(targets.filter((target) => !sources.has(target)), []);
  assert.ok(imports.get("record/recorder.js").length > 10);
});

test("record/ imports only record/", () => {
  assert.deepEqual(importsOf("record").filter(([, target]) => folderOf(target) !== "record"), []);
});

test("record/ names nothing of Node", () => {
  const names = /\b(Buffer|process|require|__dirname|setImmediate)\b(?!:)/;
  const code = (source) => source.replace(/^\s*(\/\/|\/?\*).*$/gm, "").replace(/"[^"\n]*"/g, '""');
  assert.deepEqual(files.filter((name) => folderOf(name) === "record" && names.test(code(sources.get(name)))), []);
});

test("browser/, library/ and record/ make up what runs in a page", () => {
  const ofPages = ["browser", "library", "record", "strings", ""];
  assert.deepEqual(importsOf("browser").filter(([, target]) => !ofPages.includes(folderOf(target))), []);
  assert.deepEqual(imports.get("browser.js").filter((target) => folderOf(target) !== "browser"), []);
});

test("driver/ knows neither the command nor Playwright", () => {
  const known = ([, target]) => target.startsWith("node:") || ["driver", "node", "record"].includes(folderOf(target)) || ["command/command-error.js", "browser/places.js"].includes(target);
  assert.deepEqual(importsOf("driver").filter((pair) => !known(pair)), []);
});

test("playwright/ drives a browser, without the command", () => {
  assert.deepEqual(importsOf("playwright").filter(([, target]) => !target.startsWith("node:") && !["playwright", "driver", "record"].includes(folderOf(target))), []);
});

test("vite/ is for vite.js alone", () => {
  assert.deepEqual([...imports].filter(([name, targets]) => targets.some((target) => folderOf(target) === "vite") && folderOf(name) !== "vite").map(([name]) => name), ["vite.js"]);
});

test("strings/ and test/ import nothing of Node", () => {
  const targets = ["", "strings", "test"].flatMap(importsOf).filter(([name]) => !["node.js", "playwright.js", "vite.js"].includes(name));
  assert.deepEqual(targets.filter(([, target]) => target.startsWith("node:") || folderOf(target) === "node"), []);
});

test("only names.js spells tags, hooks, and the exports that instrumentation adds", () => {
  const hooks = HOOKS.map((name) => `"${name}"`).join("|");
  const spelled = new RegExp(`"linmem\\.(memory|global|table|function)|${hooks}|\\b0x[0-2][0-9a-f]\\b`);
  const recorders = files.filter((name) => folderOf(name) !== "strings");
  assert.deepEqual(recorders.filter((name) => spelled.test(sources.get(name))), ["record/names.js"]);
});

test("there are no circles", () => {
  const done = new Set();
  const visit = (name, path) => {
    assert.ok(!path.includes(name), [...path, name].join(" → "));
    if (done.has(name)) return;
    for (const target of imports.get(name) ?? []) visit(target, [...path, name]);
    done.add(name);
  };
  for (const name of files) visit(name, []);
});

test("no two files have the same name", () => {
  const names = files.map((name) => basename(name));
  assert.deepEqual(names.filter((name, place) => names.indexOf(name) !== place), []);
});

test("each file says in its first line what it is for, and is of readable size", () => {
  for (const [name, source] of sources) {
    assert.match(source.replace(/^#!.*\n/, ""), /^\/\/ ./, name);
    assert.ok(source.split("\n").length <= 500, name);
  }
});
