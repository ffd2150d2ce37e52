// Targets of a browser that somebody else drives too, without a browser: what is sent to each, and when the user is told that
// the recorder came late.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { OWN } from "../../src/driver/source.js";
import { Targets } from "../../src/driver/targets.js";
import { FakeDevTools, turn } from "./fake-devtools.js";

let devtools, recordings, complaints, targets;

beforeEach(async () => {
  devtools = new FakeDevTools();
  complaints = [];
  recordings = { has: (id) => id === "known", take() {}, unfinished: [] };
  targets = new Targets(devtools, recordings, { source: "script", short: "short script", complain: (line) => complaints.push(line) });
  await targets.begun;
});

const attach = (session, type, { url = "http://localhost/", waits = true } = {}) =>
  devtools.tell("Target.attachedToTarget", { sessionId: session, targetInfo: { targetId: `of ${session}`, type, url }, waitingForDebugger: waits });

const told = (name) => [`${name} http://localhost/ is not watched: its code may have run before the recorder came`];

test("workers that nobody else waits for have what is short sent first", () => {
  const [kinds, commands] = devtools.first;
  assert.deepEqual(kinds, ["service_worker", "shared_worker"]);
  assert.deepEqual(commands.map(([method, params]) => [method, JSON.parse(params).expression]), [["Runtime.evaluate", "short script"], ["Runtime.evaluate", "script"]]);
});

test("documents have the script already", async () => {
  attach("P", "page");
  await turn();
  assert.deepEqual(devtools.to("P"), ["Runtime.enable", "Runtime.addBinding", "Target.setAutoAttach", "Runtime.runIfWaitingForDebugger"]);
});

const context = (id, others = {}) => ({ context: { id, origin: "http://localhost", auxData: { isDefault: true }, ...others } });

for (const [value, complaint] of [["known", []], ["unknown", told("page")], [undefined, told("page")]]) {
  test(`a document in which ${value} answers`, async () => {
    devtools.answers["Runtime.evaluate"] = { result: { value } };
    attach("P", "page");
    devtools.tell("Runtime.executionContextCreated", context(7), "P");
    await turn();
    const { params } = devtools.sent.find(({ method }) => method === "Runtime.evaluate");
    assert.equal(params.contextId, 7);
    assert.deepEqual(complaints, complaint);
  });
}

test("a document that is gone, an empty one, another world and a worker are not asked, or need not answer", async () => {
  attach("P", "page");
  attach("W", "worker");
  await turn();
  devtools.answers["Runtime.evaluate"] = { result: {} };
  devtools.tell("Runtime.executionContextCreated", context(7, { origin: "://" }), "P");
  devtools.tell("Runtime.executionContextCreated", context(7, { auxData: { isDefault: false } }), "P");
  devtools.tell("Runtime.executionContextCreated", context(7), "W");
  devtools.answers["Runtime.evaluate"] = Promise.reject(new Error("Cannot find context"));
  devtools.answers["Runtime.evaluate"].catch(() => {});
  devtools.tell("Runtime.executionContextCreated", context(8), "P");
  await turn();
  assert.deepEqual(complaints, []);
});

for (const [name, scripts, complaint] of [
  ["after the recorder", [[3, OWN], [4, "http://localhost/w.js"], [5, OWN]], []],
  ["before it", [[3, "http://localhost/w.js"], [10, OWN]], told("shared worker")],
  ["before it, by a number with fewer digits", [[9, "http://localhost/w.js"], [10, OWN]], told("shared worker")],
  ["without it", [[9, "http://localhost/w.js"]], told("shared worker")],
  ["made of a text by others", [[2, ""], [3, OWN]], []],
]) {
  test(`a worker's script that was compiled ${name}`, async () => {
    devtools.during["Debugger.enable"] = (session) => scripts.forEach(([scriptId, url]) => devtools.tell("Debugger.scriptParsed", { scriptId: String(scriptId), url }, session));
    attach("S", "shared_worker");
    await turn();
    assert.deepEqual(complaints, complaint);
    assert.ok(devtools.to("S").includes("Debugger.disable"));
  });
}

for (const [name, kind, isHooked, complaint] of [
  ["before it has the recorder", "shared_worker", false, told("shared worker")],
  ["with the recorder", "shared_worker", true, []],
  ["having waited for it", "worker", false, []],
]) {
  test(`a ${kind} that ends ${name}`, async () => {
    if (!isHooked) devtools.answers["Runtime.evaluate"] = new Promise(() => {});
    devtools.during["Debugger.enable"] = (session) => devtools.tell("Debugger.scriptParsed", { scriptId: "3", url: OWN }, session);
    attach("S", kind);
    await turn();
    devtools.tell("Target.detachedFromTarget", { sessionId: "S" });
    assert.deepEqual(complaints, complaint);
  });
}

test("one of two sessions of a worker may end", async () => {
  devtools.answers["Runtime.evaluate"] = new Promise(() => {});
  attach("S", "service_worker");
  devtools.tell("Target.attachedToTarget", { sessionId: "T", targetInfo: { targetId: "of S", type: "service_worker", url: "http://localhost/" }, waitingForDebugger: true });
  devtools.tell("Target.detachedFromTarget", { sessionId: "T" });
  assert.deepEqual(complaints, []);
  devtools.tell("Target.detachedFromTarget", { sessionId: "S" });
  assert.deepEqual(complaints, told("service worker"));
});

test("a worker that did not wait is told, and gets no recorder", async () => {
  attach("W", "worker", { waits: false });
  await turn();
  assert.deepEqual(complaints, told("worker"));
  assert.ok(!devtools.to("W").includes("Runtime.evaluate"));
});

test("what a page says to its console is left to the others", () => {
  attach("P", "page");
  assert.equal(devtools.listeners.has("Runtime.consoleAPICalled"), false);
});

test("it is ready when all that is there is done", async () => {
  let hooked;
  devtools.answers["Runtime.addBinding"] = new Promise((resolve) => (hooked = resolve));
  attach("P", "page");
  let isReady = false;
  targets.ready().then(() => (isReady = true));
  await turn();
  assert.equal(isReady, false);
  hooked({});
  await turn();
  assert.equal(isReady, true);
});

test("recordings are saved each in its own context; and let go of", async () => {
  recordings.unfinished = [{ target: { session: "P" }, context: 1 }];
  await targets.save();
  const { session, params } = devtools.sent.at(-1);
  assert.deepEqual([session, params.contextId], ["P", 1]);
  assert.match(params.expression, /\.save\(\)$/);
  await targets.leave();
  assert.equal(devtools.sent.at(-1).params.autoAttach, false);
});
