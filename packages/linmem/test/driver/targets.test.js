// How targets of a browser are met, without a browser: what is sent to each, in which order, and what is said to the user.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Targets } from "../../src/driver/targets.js";
import { FakeDevTools, turn } from "./fake-devtools.js";

let devtools, recordings, complaints, targets;

const attach = (session, type, url = "http://localhost/") =>
  devtools.tell("Target.attachedToTarget", { sessionId: session, targetInfo: { targetId: `of ${session}`, type, url } });

beforeEach(() => {
  devtools = new FakeDevTools();
  complaints = [];
  recordings = { taken: [], take: (target, context, text) => recordings.taken.push([target.name, context, text]), unfinished: [] };
  targets = new Targets(devtools, recordings, { source: "script", complain: (line) => complaints.push(line) });
});

test("a worker goes on only when the recorder is in it", async () => {
  let hooked;
  devtools.answers["Runtime.evaluate"] = new Promise((resolve) => (hooked = resolve));
  attach("W", "worker");
  await turn();
  assert.deepEqual(devtools.to("W"), ["Runtime.enable", "Runtime.addBinding", "Runtime.evaluate", "Target.setAutoAttach"]);
  hooked({});
  await turn();
  assert.equal(devtools.to("W").at(-1), "Runtime.runIfWaitingForDebugger");
});

test("a service worker does nothing before it goes on", async () => {
  devtools.answers["Runtime.evaluate"] = new Promise(() => {});
  attach("S", "service_worker");
  await turn();
  assert.equal(devtools.to("S").at(-1), "Runtime.runIfWaitingForDebugger");
  assert.ok(devtools.to("S").indexOf("Runtime.evaluate") >= 0);
});

test("documents get the script before each later document too", async () => {
  for (const [session, type] of [["P", "page"], ["F", "iframe"]]) {
    attach(session, type);
    await turn();
    const { params } = devtools.sent.find((command) => command.session === session && command.method === "Page.addScriptToEvaluateOnNewDocument");
    assert.deepEqual(params, { runImmediately: true, source: "script" });
    assert.equal(devtools.to(session).at(-1), "Runtime.runIfWaitingForDebugger");
  }
});

for (const [name, answer] of [
  ["throws", Promise.resolve({ exceptionDetails: { text: "Uncaught", exception: { description: "ReferenceError: performance\n  at x" } } })],
  ["is refused", Promise.reject(new Error("ReferenceError: performance"))],
]) {
  answer.catch(() => {});
  test(`a worklet in which the script ${name} goes on, and the user is told`, async () => {
    devtools.answers["Runtime.evaluate"] = answer;
    attach("A", "audio_worklet", "http://localhost/a.js");
    await turn();
    assert.deepEqual(complaints, ["audio worklet http://localhost/a.js is not watched: ReferenceError: performance"]);
    assert.equal(devtools.to("A").at(-1), "Runtime.runIfWaitingForDebugger");
  });
}

test("the user is told of a document in which the script fails, and not of the page's own errors", () => {
  attach("P", "page");
  const thrown = (text, urls) => {
    const callFrames = urls.map((url) => ({ url }));
    devtools.tell("Runtime.exceptionThrown", { exceptionDetails: { text, exception: { description: "TypeError: x" }, stackTrace: { callFrames } } }, "P");
  };
  thrown("Uncaught", ["http://localhost/app.js"]);
  thrown("Uncaught", ["linmem:recorder", "http://localhost/app.js"]);
  thrown("Uncaught (in promise)", ["linmem:recorder"]);
  thrown("Uncaught", []);
  assert.deepEqual(complaints, []);
  thrown("Uncaught", ["linmem:recorder", "linmem:recorder"]);
  assert.deepEqual(complaints, ["page http://localhost/ is not watched: TypeError: x"]);
});

test("messages are those of a target that is there, in the right binding", () => {
  attach("P", "page");
  const called = (name, payload, session) => devtools.tell("Runtime.bindingCalled", { name, payload, executionContextId: 7 }, session);
  called("__linmem_recorded", "text", "P");
  called("__linmem_recorded", "text", "Q");
  called("other", "text", "P");
  called("__linmem_recorded", 5, "P");
  devtools.tell("Target.targetInfoChanged", { targetInfo: { targetId: "of P", type: "page", url: "http://localhost/next" } });
  called("__linmem_recorded", "later", "P");
  assert.deepEqual(recordings.taken, [["page http://localhost/", 7, "text"], ["page http://localhost/next", 7, "later"]]);
});

test("it is over when the last page is closed", async () => {
  attach("P", "page");
  attach("Q", "page");
  attach("W", "worker");
  let isOver = false;
  targets.closed.then(() => (isOver = true));
  devtools.tell("Target.detachedFromTarget", { sessionId: "P" });
  await turn();
  assert.equal(isOver, false);
  devtools.tell("Target.detachedFromTarget", { sessionId: "Q" });
  await turn();
  assert.equal(isOver, true);
});

test("each recording that goes on is ended in its own context", async () => {
  recordings.unfinished = [{ target: { session: "P" }, context: 1 }, { target: { session: "W" }, context: 4 }];
  await targets.end({ collect: false });
  const ends = devtools.sent.filter(({ method }) => method === "Runtime.evaluate");
  assert.deepEqual(ends.map(({ session, params }) => [session, params.contextId]), [["P", 1], ["W", 4]]);
});
