// What reports say of small programs whose lines and faults are known. Healthy ones have no error and no warning.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { GUESTS } from "./case-guests.js";
import { allocationsFrom, assertBegins, assertHealthy, at, codes, found, frames, messageOf, problems, reportOf, stackOf, theOnly, withoutFolders } from "./case-report.js";
import { makeGuests, removeDirectory, reportWith, runUnder, skip } from "./support.js";

makeGuests(GUESTS);
after(removeDirectory);

// The cases of one program: what it is asked to do, and what its report must say.
function program(name, cases) {
  const line = (words) => at(name, words);
  for (const [way, check] of Object.entries(cases)) test(`${name}: ${way}`, { skip }, () => check(reportOf(name, way), line));
}

const NOT_LOOKED_AT = "(callers not looked at)";

const caller = (name, words, line) => `${name} (${line(words)})`;

// A stack shown for a block is that block's own.
program("lines", {
  first(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [100, 2000]);
    assertBegins(stackOf(held, "allocated"), ["malloc", caller("guilty", "// guilty", line)]);
    assert.deepEqual(problems(report), ["leak-host-held"]);
    assert.equal(allocationsFrom(report, ["malloc", caller("innocent", "// innocent", line)]), 1);
  },

  names(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", caller("small", "// named", line)]), 1);
    assert.equal(allocationsFrom(report, ["malloc", caller("large", "// named", line)]), 20);
  },

  alternating(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", caller("guilty", "// guilty", line)]), 2040);
    assert.equal(allocationsFrom(report, ["malloc", caller("other", "// other", line)]), 2040);
    assert.equal(report.totals.allocations, 4080);
  },

  many(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", caller("guilty", "// guilty", line)]), 2048);
    assert.equal(allocationsFrom(report, ["malloc", caller("other", "// other", line)]), 2048);
    assert.equal(allocationsFrom(report, ["malloc", NOT_LOOKED_AT]), 1904);
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 6000);
  },

  files(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", caller("elsewhere", "// elsewhere", (words) => at("elsewhere", words)), line("// loop")]), 10);
    assert.equal(allocationsFrom(report, ["malloc", caller("guilty", "// guilty", line)]), 20);
  },

  closures(report, line) {
    const closure = (words) => allocationsFrom(report, ["malloc", line("// closure"), caller("times", "// times", line), caller("closures", words, line)]);
    assert.deepEqual([closure("// small"), closure("// large")], [10, 20]);
    const vectors = (words) => allocationsFrom(report, ["malloc", caller("new Vector", "// class", line), line(words)]);
    assert.deepEqual([vectors("// deleted"), vectors("// kept")], [30, 3]);
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [33, 472]);
  },

  async(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", caller("guilty", "// guilty", line)]), 26);
    assert.equal(allocationsFrom(report, ["malloc", caller("innocent", "// innocent", line)]), 25);
    assert.equal(allocationsFrom(report, ["malloc", caller("other", "// other", line)]), 1);
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 27);
  },

  late(report, line) {
    assert.ok(allocationsFrom(report, ["malloc", caller("innocent", "// innocent", line)]) <= 5000);
    assertBegins(stackOf(theOnly(report, "leak-host-held"), "allocated"), ["malloc", NOT_LOOKED_AT]);
  },
});

program("freed", {
  first(report, line) {
    const twice = theOnly(report, "double-free");
    assert.equal(twice.numbers.times, 1);
    assertBegins(stackOf(twice, "allocated"), ["malloc", caller("allocate", "// allocates", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", caller("release", "// releases", line)]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("again", "// frees again", line)]);
    assert.deepEqual(codes(report), ["double-free"]);
  },

  late(report, line) {
    const twice = theOnly(report, "double-free");
    assertBegins(stackOf(twice, "allocated"), ["malloc", caller("allocate", "// allocates", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", caller("release", "// releases", line)]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("again", "// frees again", line)]);
    assert.deepEqual(codes(report), ["double-free"]);
  },

  drop(report, line) {
    const twice = found(report, "double-free");
    assert.equal(twice.length, 2);
    for (const finding of twice) {
      assertBegins(stackOf(finding, "freed before"), ["free", "drop", caller("drop", "// drops", line)]);
      assertBegins(stackOf(finding, "freed again"), ["free", caller("again", "// frees again", line)]);
    }
    assert.deepEqual(codes(report), ["double-free", "double-free"]);
  },

  async(report, line) {
    const twice = theOnly(report, "double-free");
    assertBegins(stackOf(twice, "allocated"), ["malloc", caller("allocate", "// allocates", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", caller("release", "// releases", line)]);
    assert.deepEqual(stackOf(twice, "freed again"), ["free", caller("again", "// frees again", line)]);
  },

  healthy: assertHealthy,
});

program("table", {
  first(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [40000, 960000]);
    const stack = ["malloc", "node", "make", caller("caller", "// caller", line)];
    assertBegins(stackOf(held, "allocated"), stack);
    // The first 4,096, and those with the numbers 8,192, 16,384 and 32,768.
    assert.equal(held.stacks[0].label, "allocated (callers of 4,099 of 40,000 blocks looked at)");
    assert.equal(allocationsFrom(report, stack), 4099);
    assert.equal(allocationsFrom(report, ["malloc", "node", "make", NOT_LOOKED_AT]), 35901);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  methods(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.returned, held.numbers.freed], [10, 1000, 990]);
    assertBegins(stackOf(held, "allocated"), ["malloc", "node", "make", caller("new Vector", "// constructor", line), line("// vectors")]);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  global(report, line) {
    const lost = theOnly(report, "leak-definite");
    assert.deepEqual([lost.numbers.blocks, lost.numbers.bytes], [7, 280]);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "lose", caller("global", "// loses", line)]);
    const held = theOnly(report, "leak-host-held");
    assert.equal(held.numbers.blocks, 5);
    assertBegins(stackOf(held, "allocated"), ["malloc", "node", "make", caller("global", "// makes", line)]);
  },

  linked(report, line) {
    const { allocations, frees, at_end } = report.totals;
    assert.deepEqual([allocations, frees, at_end.blocks], [19, 16, 3]);
    assert.equal(report.memories.length, 1);
    assert.equal(problems(report).length, 1);
    const [lost] = report.findings;
    assert.match(lost.code, /^leak-/);
    const stack = stackOf(lost, "allocated");
    assert.equal(stack[0], "malloc");
    assert.ok(stack.some((frame) => /^lose \(.*\.wasm\)$/.test(frame)), stack.join(" < "));
    assert.ok(stack.includes(caller("linked", "// loses by side", line)));
    const through = (words) => report.memories[0].hot_sites.allocations
      .filter(({ stack }) => frames(stack).includes(caller("linked", words, line)))
      .reduce((sum, { allocations }) => sum + allocations, 0);
    assert.deepEqual([through("// by main"), through("// by side"), through("// by the table"), through("// loses by side")], [4, 4, 8, 3]);
  },

  moved(report, line) {
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 6);
    assert.equal(allocationsFrom(report, ["malloc", "node", "make", caller("moved", "// moved", line)]), 6);
  },
});

program("two", {
  first: assertHealthy,
  collected: assertHealthy,
  grown(report, line) {
    assertHealthy(report);
    const [{ growth, totals, users }] = report.memories;
    assert.deepEqual([report.memories.length, users, growth.growths, totals.at_end.pages], [1, [0, 1, 2], 4, 6]);
    assertBegins(frames(growth.sites[0].stack), ["grow", caller("grown", "// grows", line)]);
  },

  reallocated(report) {
    assertHealthy(report);
    assert.equal(report.totals.reallocations, 6);
  },

  leaks(report, line) {
    const lost = theOnly(report, "leak-definite");
    assert.deepEqual([lost.numbers.blocks, lost.numbers.bytes], [3, 144]);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "lose", caller("leaks", "// loses", line)]);
    assert.deepEqual(codes(report), ["leak-definite"]);
  },

  "double free"(report, line) {
    const twice = theOnly(report, "double-free");
    assert.equal(twice.severity, "error");
    assertBegins(stackOf(twice, "allocated"), ["malloc", caller("double free", "// allocates", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", caller("double free", "// frees", line)]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("double free", "// again", line)]);
    assert.deepEqual(codes(report), ["double-free"]);
  },
});

program("shared", {
  first(report, line) {
    assertHealthy(report);
    assert.equal(allocationsFrom(report, ["malloc", line("// the worker allocates")]), 1);
  },

  "each other"(report) {
    assertHealthy(report);
    assert.deepEqual([report.totals.allocations, report.memories.length, report.instances.length], [1800, 1, 3]);
  },

  // A worker may have a block at that time.
  terminated(report) {
    assert.deepEqual(problems(report).filter((code) => code !== "leak-host-held" && code !== "events-missing"), []);
    assert.ok(report.totals.at_end.blocks <= 2);
    assert.equal(report.end.code, 0);
  },

  exits(report) {
    assert.deepEqual(problems(report).filter((code) => code !== "leak-host-held" && code !== "events-missing"), []);
    assert.ok(report.totals.at_end.blocks <= 2);
    assert.equal(report.end.code, 0);
  },

  early: assertHealthy,

  text: assertHealthy,

  nested(report) {
    assertHealthy(report);
    assert.equal(report.instances.length, 4);
  },

  two(report, line) {
    assert.deepEqual(report.memories.map(({ users }) => users.length), [2, 2]);
    const lost = theOnly(report, "leak-definite");
    assert.deepEqual([lost.numbers.blocks, lost.numbers.bytes], [1, 48]);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "lose", caller("two", "// loses in the second", line)]);
    assert.deepEqual(codes(report), ["leak-definite"]);
  },

  exported(report) {
    assertHealthy(report);
    assert.deepEqual([report.memories.length, report.totals.allocations], [1, 9]);
  },

  leaks(report, line) {
    const lost = theOnly(report, "leak-definite");
    assert.deepEqual([lost.numbers.blocks, lost.numbers.bytes], [3, 144]);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "lose", caller("loses", "// the worker loses", line)]);
    assert.deepEqual(codes(report), ["leak-definite"]);
  },

  "leaks elsewhere"(report, line) {
    assert.equal(report.truncated, false);
    const lost = theOnly(report, "leak-definite");
    assert.equal(lost.numbers.blocks, 3);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "lose", caller("loses", "// the worker loses", line)]);
    assert.deepEqual(codes(report), ["leak-definite"]);
  },

  "double free"(report, line) {
    const twice = theOnly(report, "double-free");
    assertBegins(stackOf(twice, "allocated"), ["malloc", caller("double free", "// allocates here", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", line("// the worker frees")]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("double free", "// frees again", line)]);
    assert.deepEqual(codes(report), ["double-free"]);
  },
});

for (const way of ["ambiguous", "unwatched"]) {
  test(`shared: ${way}`, { skip }, () => {
    const report = reportOf("shared", way);
    assert.deepEqual([...new Set(problems(report))], ["events-missing"]);
  });
}

program("hostgrow", {
  first(report, line) {
    const [{ growth, totals }] = report.memories;
    assert.deepEqual([growth.growths, totals.at_end.pages, growth.sites.length], [10, 16, 1]);
    assert.equal(growth.sites[0].pages, 15);
    assertBegins(frames(growth.sites[0].stack), [caller("resize", "// resizes", line), "malloc", caller("first", "// allocates", line)]);
    assert.equal(theOnly(report, "leak-host-held").numbers.bytes, 1000000);
  },

  outside(report, line) {
    assertHealthy(report);
    const [{ growth }] = report.memories;
    assert.deepEqual(growth.log.map(({ pages_before, pages_after, asked_by }) => [pages_before, pages_after, asked_by]), [[1, 4, "host"]]);
    assertBegins(frames(growth.sites[0].stack), [caller("outside", "// grows", line)]);
  },

  refused(report, line) {
    assert.deepEqual(codes(report), ["allocation-failed"]);
    assertBegins(stackOf(report.findings[0], "asked for"), ["malloc", caller("refused", "// gets nothing", line)]);
    const [{ growth }] = report.memories;
    assert.deepEqual([growth.growths, growth.refused], [0, 1]);
    assertBegins(frames(growth.sites[0].stack), [caller("resize", "// asks for too much", line), "malloc", caller("refused", "// gets nothing", line)]);
  },

  helpers(report, line) {
    assertHealthy(report);
    const sites = report.memories[0].growth.sites.map(({ pages, stack }) => [pages, ...frames(stack).slice(0, 5)]);
    const inside = [caller("grow", "// helper", line), caller("resize", "// chooses", line), "malloc", "work"];
    assert.deepEqual(sites, [[4, ...inside, caller("helpers", "// large", line)], [2, ...inside, caller("helpers", "// small", line)]]);
  },
});

// What is known of a program that exceptions leave, and that goes on.
function assertLeft(report, line) {
  assert.equal(report.totals.allocations, 20 * (4 + 3 + 1) + 5 + 6);
  const back = ["malloc", "inner", caller("call", "// calls back", line), "deep"];
  const invoked = ["falls", caller("invoke", "// invokes", line), "deep"];
  const outermost = caller("leave", "// escapes", line);
  for (let depth = 0; depth < 3; depth++) assert.equal(allocationsFrom(report, [...back, ...Array(depth).fill(invoked).flat(), outermost]), 20);
  assert.equal(allocationsFrom(report, ["malloc", caller("leave", "// in between", line)]), 20);
  assert.equal(allocationsFrom(report, ["malloc", "lose", line("// loses")]), 5);
  assert.equal(allocationsFrom(report, ["malloc", line("// keeps after")]), 6);
  const held = theOnly(report, "leak-host-held");
  assert.deepEqual([held.numbers.blocks, held.numbers.returned, held.numbers.freed], [6, 26, 20]);
  assert.deepEqual(found(report, "leak-definite").map(({ numbers }) => numbers.blocks).sort((a, b) => a - b), [5, 20, 20, 20]);
}

program("trampoline", {
  first(report, line) {
    const possible = theOnly(report, "leak-possible");
    assert.deepEqual([possible.numbers.blocks, possible.numbers.bytes], [1, 64]);
    assertBegins(stackOf(possible, "allocated"), ["malloc", "inner", caller("call", "// calls back", line), "work", caller("first", "// works", line)]);
    // The host got nothing from `inner`.
    assert.deepEqual(codes(report), ["leak-possible"]);
  },

  invoked(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.returned, held.numbers.freed], [4, 14, 10]);
    assertBegins(stackOf(held, "allocated"), ["malloc", "inner", caller("invoke", "// invokes", line), "tries", line("// keeps")]);
    assert.match(held.message, /from `tries`/);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  caught(report, line) {
    const lost = theOnly(report, "leak-definite");
    assert.deepEqual([lost.numbers.blocks, lost.numbers.bytes], [10, 320]);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "throws", caller("invoke", "// invokes", line), "tries", line("// throws")]);
    assert.equal(allocationsFrom(report, ["malloc", "inner", caller("invoke", "// invokes", line), "tries", line("// later")]), 3);
    assert.deepEqual(codes(report), ["leak-definite"]);
  },

  escapes: assertLeft,
  later: assertLeft,

  seldom(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.returned, held.numbers.bytes], [10, 10, 240]);
    assertBegins(stackOf(held, "allocated"), ["malloc", "perhaps", caller("invoke", "// invokes", line), "tries", line("// seldom")]);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  copies(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [3, 144]);
    assertBegins(stackOf(held, "allocated"), ["malloc", caller("copy", "// copies", line), "gets", line("// lost")]);
    assert.equal(allocationsFrom(report, ["malloc", caller("copy", "// copies", line), "gets", line("// given back")]), 10);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },
});

program("many", {
  first(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [100, 4000]);
    assertBegins(stackOf(held, "allocated"), ["malloc", "leak", line("// leaks in a loop")]);
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  exports(report, line) {
    assertBegins(stackOf(theOnly(report, "leak-host-held"), "allocated"), ["malloc", "leak", line("// leaks by one export")]);
    const lost = found(report, "leak-definite").map((finding) => [finding.numbers.blocks, ...stackOf(finding, "allocated").slice(0, 4)]);
    assert.deepEqual(lost, [
      [30, "malloc", "taken", line("// out of the table"), caller("times", "// times", line)],
      [20, "malloc", "inside", "lose", line("// loses by one export")],
    ]);
  },

  callers(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", "leak", line("// two callers")]), 100);
    assert.equal(allocationsFrom(report, ["malloc", "leak", caller("other", "// another caller", line)]), 50);
  },

  deep(report, line) {
    assert.equal(allocationsFrom(report, ["malloc", "leak", line("// leaks first")]), 3);
    const lost = theOnly(report, "leak-definite");
    assert.equal(lost.numbers.blocks, 5);
    assertBegins(stackOf(lost, "allocated"), ["malloc", "inside", "lose", line("// loses last")]);
    // Those stacks that were not taken have the export and its caller.
    assert.ok(allocationsFrom(report, ["wide", caller("deep", "// wide", line)]) > 100);
    assert.equal(allocationsFrom(report, [caller("deep", "// wide", line)]), 0);
  },
});

program("realloc", {
  first(report) {
    assertHealthy(report);
    assert.deepEqual(codes(report), ["allocation-failed"]);
  },

  stays(report, line) {
    const held = theOnly(report, "leak-host-held");
    assert.deepEqual([held.numbers.blocks, held.numbers.bytes], [1, 100]);
    assertBegins(stackOf(held, "allocated"), ["take", "malloc", caller("stays", "// allocates what stays", line)]);
    assertBegins(stackOf(theOnly(report, "allocation-failed"), "asked for"), ["realloc", caller("stays", "// fails and is heeded", line)]);
    assert.deepEqual(problems(report), ["leak-host-held"]);
  },

  host(report) {
    assertHealthy(report);
    assert.deepEqual(codes(report), ["allocation-failed", "allocation-failed"]);
  },

  "double free"(report, line) {
    const twice = theOnly(report, "double-free");
    assert.equal(twice.numbers.block_bytes, 100);
    assertBegins(stackOf(twice, "allocated"), ["take", "malloc", caller("double free", "// allocates for two", line)]);
    assertBegins(stackOf(twice, "freed before"), ["free", caller("double free", "// frees once", line)]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("double free", "// frees again", line)]);
    assert.deepEqual(problems(report), ["double-free"]);
  },

  ignored(report, line) {
    const ignored = theOnly(report, "null-ignored");
    assertBegins(stackOf(ignored, "asked for"), ["realloc", caller("ignored", "// fails unheeded", line)]);
    assert.deepEqual(problems(report), ["null-ignored"]);
  },

  moved(report, line) {
    const twice = theOnly(report, "double-free");
    assertBegins(stackOf(twice, "freed before"), ["realloc", caller("moved", "// moves", line)]);
    assertBegins(stackOf(twice, "freed again"), ["free", caller("moved", "// frees the old one", line)]);
    assert.deepEqual(problems(report), ["double-free"]);
  },
});

// JavaScript Promise Integration, where the engine has it.
const INTEGRATION = "--experimental-wasm-jspi";

const isIntegrated = spawnSync(process.execPath, [INTEGRATION, "-p", "typeof WebAssembly.promising"], { encoding: "utf8" }).stdout === "function\n";

// The blocks by the frame behind the module's own: a caller that was looked at before calls could wait keeps its blocks.
const SUSPENDED = { first: [14, 2], mixed: [16, 11], rejected: [8, 3] };

for (const [way, [allocations, fewest]] of Object.entries(SUSPENDED)) {
  test(`suspended: ${way}`, { skip: skip || (!isIntegrated && "this engine has no JavaScript Promise Integration") }, () => {
    const report = reportOf("suspended", way, INTEGRATION);
    assert.ok(report.notes.some((note) => note.includes("JavaScript Promise Integration")));
    assert.deepEqual(codes(report), ["not-judged"]);
    assert.equal(report.totals.allocations, allocations);
    assert.ok(report.totals.at_end.blocks >= fewest);
    const early = allocationsFrom(report, ["malloc", caller("early", "// early", (words) => at("suspended", words))]);
    const unseen = ["work", "lose"].reduce((sum, name) => sum + allocationsFrom(report, ["malloc", name, NOT_LOOKED_AT]), allocationsFrom(report, ["malloc", NOT_LOOKED_AT]));
    assert.deepEqual([early, unseen], [1, allocations - 1]);
  });
}

// What was not seen is not judged.
const unseen = (words) => (report) => {
  assert.deepEqual(problems(report), []);
  assert.match(theOnly(report, "allocations-unseen").message, words);
};

const lost = (blocks) => (report) => {
  assert.equal(theOnly(report, "leak-definite").numbers.blocks, blocks);
  assert.deepEqual(problems(report), ["leak-definite"]);
};

program("unseen", {
  "arena, global": unseen(/^no function that frees was found, and `reset` also writes what the allocator keeps/),
  "arena, word": unseen(/^no function that frees was found, and `reset` also writes/),
  "arena, in a table": unseen(/^no function that frees was found, and `reset` also writes/),
  "arena that frees": unseen(/^`reset` also writes what the allocator keeps of its blocks/),
  "arena alone": lost(5),

  "arena that nobody resets"(report) {
    assert.deepEqual(problems(report), ["leak-host-held"]);
  },

  "the same, no free": unseen(/^memory was handed out again that nobody was seen to free, and no function that frees was found/),
  "the same, grows": unseen(/^memory was handed out again .*, and `more` can grow the memory past the functions that are hooked/),

  "the same, broken"(report) {
    assert.deepEqual(found(report, "overlap").map(({ severity }) => severity), ["error"]);
  },

  objects(report, line) {
    const [shapes, meshes] = ["// shapes", "// meshes"].map(line);
    assert.deepEqual(
      found(report, "objects-left").map(({ message }) => withoutFolders(message)),
      [
        `191 objects of \`shape\` were made by \`shape_new\` (190 of them ${shapes}), and \`__wbg_shape_free\` freed 1`,
        `20 objects of \`Mesh\` were made by \`emscripten_bind_Mesh_Mesh_0\` (${meshes}), and \`emscripten_bind_Mesh___destroy___0\` freed 5`,
      ],
    );
    const [ofShapes, ofMeshes] = found(report, "objects-left");
    assert.deepEqual(stackOf(ofShapes, "made").slice(0, 2), ["shape_new", `objects (${shapes})`]);
    assert.deepEqual(stackOf(ofMeshes, "made").slice(0, 2), ["emscripten_bind_Mesh_Mesh_0", `objects (${meshes})`]);
  },

  "objects, freed"(report) {
    assert.deepEqual(codes(report), []);
  },

  wrapped: assertHealthy,

  "wrapped, twice"(report) {
    assert.deepEqual(codes(report), ["double-free"]);
  },

  "only frees"(report) {
    assert.deepEqual([codes(report), report.totals.frees], [[], 0]);
    assert.match(report.instances[0].coverage.notes[0], /^function 1 frees \(export `free` .*\), but no function was found that allocates/);
  },

  older(report) {
    assert.deepEqual([codes(report), theOnly(report, "older-blocks").numbers], [["older-blocks"], { blocks: 1 }]);
  },

  "older, reallocated"(report) {
    assert.deepEqual([codes(report), theOnly(report, "older-blocks").numbers], [["older-blocks"], { blocks: 2 }]);
  },

  "constant text"(report) {
    assert.deepEqual(codes(report), ["invalid-free"]);
  },

  numbers: lost(5),
  "numbers, copied": lost(5),

  "numbers, changed"(report) {
    assert.deepEqual([problems(report), theOnly(report, "still-reachable").numbers.blocks], [[], 1]);
  },
});

// What calls leave behind, and what they are passed.
const grows = (words) => (report, line) => {
  assert.deepEqual(problems(report), ["grows-with-calls"]);
  assert.equal(messageOf(report, "grows-with-calls"), words(line));
};

const detachedIn = (use) => (report, line) => {
  assert.deepEqual(codes(report).filter((code) => code !== "leak-host-held"), ["stale-view"]);
  const view = theOnly(report, "stale-view");
  assert.equal(messageOf(report, "stale-view").split(":").slice(0, 3).join(":"), `a view from when memory 0 had 1 page was used once (${line(use)}) after the memory had grown (${line("// detaches")})`);
  assertBegins(stackOf(view, "detached by the growth"), ["malloc", caller("detached", "// detaches", line)]);
};

const restoredOnly = (times) => (report) => {
  assert.deepEqual([codes(report), theOnly(report, "state-overwritten").numbers], [["state-overwritten"], { times }]);
};

program("calls", {
  growing: grows((line) => `each of 100 calls of \`work\` (${line("// grows")}) grew the memory by 1 page`),
  "growing, every other": grows((line) => `30 of 60 calls of \`work\` (${line("// grows")}) grew the memory, by 60 pages in all, the last at call 60`),
  "growing, not alike": grows((line) => `each of 20 calls of \`work\` (${line("// grows")}) grew the memory, by 30 pages in all`),
  "growing, by the host": grows((line) => `each of 30 calls of \`ask\` (${line("// asks")}) grew the memory by 3 pages`),

  "growing, at first"(report) {
    assert.deepEqual(codes(report), []);
  },

  "growing, a few"(report) {
    assert.deepEqual(codes(report), []);
  },

  "growing, explained"(report) {
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },

  trap(report, line) {
    assert.deepEqual(codes(report), ["not-returned"]);
    assert.equal(
      messageOf(report, "not-returned"),
      `the only call of \`read\` (${line("// traps")}) did not return: a trap or an exception left it; its argument was 0xffffffff, which is past the end of the memory`,
    );
  },

  "trap, passed on"(report, line) {
    assert.deepEqual(codes(report).sort(), ["not-returned", "stale-pointer", "stale-pointer"]);
    const [passed, trapped] = found(report, "stale-pointer").map((finding) => stackOf(finding, "passed"));
    assert.deepEqual([passed.slice(0, 2), trapped.slice(0, 2)].sort(), [["take", caller("trap, passed on", "// passes", line)], ["take", line("// traps, too")]].sort());
  },

  thrown(report) {
    assert.deepEqual([problems(report), codes(report)], [[], ["not-returned"]]);
    assert.match(messageOf(report, "not-returned"), /^all 3 calls of `call` /);
  },

  "stack lost"(report, line) {
    assert.deepEqual(problems(report), ["not-returned"]);
    assert.equal(
      messageOf(report, "not-returned"),
      `all 150 calls of \`measure\` (${line("// throws")}) did not return: a trap or an exception left them, and each lost 432 bytes of the C stack: 64,800 in all of 65,536`,
    );
  },

  "stack lost, now and then"(report) {
    assert.deepEqual(problems(report), ["not-returned"]);
    const { numbers } = theOnly(report, "not-returned");
    assert.deepEqual(numbers, { calls: 200, times: 4, stack_bytes: 1728 });
  },

  "stack kept": assertHealthy,

  stale(report, line) {
    assert.deepEqual(problems(report), ["stale-pointer"]);
    const stale = theOnly(report, "stale-pointer");
    assert.deepEqual([stale.severity, stale.numbers.times], ["error", 3]);
    assertBegins(stackOf(stale, "passed"), ["read", line("// reads")]);
    assertBegins(stackOf(stale, "freed"), ["free", caller("stale", "// frees", line)]);
    assertBegins(stackOf(stale, "allocated"), ["malloc", caller("stale", "// allocates", line)]);
  },

  "stale, late"(report, line) {
    assert.deepEqual(problems(report), ["stale-pointer"]);
    assertBegins(stackOf(theOnly(report, "stale-pointer"), "passed"), ["read", caller("stale, late", "// reads late", line)]);
  },

  "stale, each time"(report, line) {
    assert.deepEqual(problems(report), ["stale-pointer"]);
    const stale = theOnly(report, "stale-pointer");
    assert.deepEqual([stale.severity, stale.numbers.times], ["warning", 30]);
    assertBegins(stackOf(stale, "passed"), ["read", line("// reads it")]);
  },

  "a number": assertHealthy,

  "detached, set": detachedIn("// set"),
  "detached, subarray": detachedIn("// subarray"),
  "detached, copied": detachedIn("// copied"),

  "detached, by hand"(report) {
    assert.deepEqual(problems(report), ["leak-host-held"]);
  },

  "made anew"(report) {
    assert.deepEqual(problems(report), ["leak-host-held"]);
  },

  restored: restoredOnly(3),

  "restored, and lost"(report) {
    assert.deepEqual(codes(report), ["leak-definite", "state-overwritten"]);
    assert.equal(theOnly(report, "leak-definite").numbers.blocks, 1);
  },

  "restored, and freed"(report) {
    assert.deepEqual(problems(report), []);
    assert.equal(theOnly(report, "state-overwritten").numbers.times, 2);
  },

  "written elsewhere"(report) {
    assert.deepEqual(codes(report), ["leak-host-held"]);
  },
});

const waits = (blocks) => (report, line) => {
  assert.deepEqual([problems(report), codes(report)], [[], ["waits-for-finalizer"]]);
  const waiting = theOnly(report, "waits-for-finalizer");
  assert.deepEqual(waiting.numbers, { blocks, bytes: 50 * blocks, objects: blocks });
  assert.ok(stackOf(waiting, "registered").some((frame) => frame.includes(line("// registers"))));
};

program("calls", {
  "finalized, by an address": waits(40),
  "finalized, by an object": waits(40),
  "finalized, by a function": waits(40),
  "finalized, by a function, of objects in a row": waits(40),

  "finalized, by a name"(report) {
    assert.deepEqual(problems(report), ["leak-host-held"]);
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 40);
  },

  "finalized, some freed": waits(25),

  "finalized, not any more"(report) {
    assert.deepEqual(codes(report), ["leak-host-held"]);
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 40);
  },

  "finalized, and others"(report) {
    assert.deepEqual(problems(report), ["leak-host-held"]);
    assert.equal(theOnly(report, "leak-host-held").numbers.blocks, 1);
  },
});

test("calls: an exception that nobody caught is told with what the engine says", { skip }, () => {
  const { status, traces } = runUnder([], "cases/calls.mjs", "trap, not caught");
  assert.equal(status, 1);
  const report = reportWith([], traces);
  assert.match(
    messageOf(report, "not-returned"),
    /^the only call of `read` \(calls\.mjs:\d+\) did not return: .* the end of the memory\. Nobody caught the last exception of the program: RuntimeError: memory access out of bounds$/,
  );
});

test("calls: finalizers run before the end if that is asked for", { skip }, () => {
  process.env.LINMEM_COLLECT = "1";
  try {
    assertHealthy(reportOf("calls", "finalized, by an object"));
  } finally {
    delete process.env.LINMEM_COLLECT;
  }
});
