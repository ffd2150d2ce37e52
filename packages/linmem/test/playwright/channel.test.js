// The channel to a browser that Playwright drives, with sessions that are made up.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Channel } from "../../src/playwright/channel.js";

let root, channel, heard;

/** The browser's own session, with a page that passes on what it is sent. */
class FakeRoot {
  listeners = {};
  sent = [];
  evaluated = [];

  on(event, listen) {
    this.listeners[event] = listen;
  }

  async send(method, params) {
    this.sent.push([method, params]);
    if (method === "Target.createBrowserContext") return { browserContextId: "C" };
    if (method === "Target.createTarget") return { targetId: "T" };
    if (method === "Target.attachToTarget") return { sessionId: "S" };
    if (method !== "Target.sendMessageToTarget") return {};
    const { id, params: { expression } } = JSON.parse(params.message);
    if (expression !== undefined) this.evaluated.push(expression);
    const result = expression?.startsWith("pass(") && this.fails ? { exceptionDetails: { text: "Uncaught" } } : {};
    this.says({ id, result });
    return {};
  }

  says(message, sessionId = "S") {
    this.listeners["Target.receivedMessageFromTarget"]({ sessionId, message: JSON.stringify(message) });
  }

  tells(message, name = "linmemSays") {
    this.says({ method: "Runtime.bindingCalled", params: { name, payload: JSON.stringify(message) } });
  }

  async detach() {}
}

beforeEach(async () => {
  root = new FakeRoot();
  channel = await Channel.open({ newBrowserCDPSession: async () => root });
  heard = [];
  channel.on("Target.attachedToTarget", (params, session) => heard.push([params.sessionId, session]));
});

const passed = () => root.evaluated.filter((text) => text.startsWith("pass(")).map((text) => JSON.parse(`[${text.slice(5, -1)}]`));

test("a command goes out whole, and its answer comes back", async () => {
  const answer = channel.send("Runtime.enable", { a: 1 }, "W");
  const [before, number, after] = passed().at(-1);
  const { id, ...command } = JSON.parse(before + after);
  assert.deepEqual([command, number], [{ method: "Runtime.enable", params: { a: 1 }, sessionId: "W" }, -1]);
  root.tells({ id, result: { b: 2 } });
  assert.deepEqual(await answer, { b: 2 });
});

test("an error comes back, and so does one of the page", async () => {
  const refused = channel.send("x");
  root.tells({ id: JSON.parse(passed().at(-1)[0] + passed().at(-1)[2]).id, error: { message: "no such method" } });
  await assert.rejects(refused, { message: "no such method" });
  root.fails = true;
  await assert.rejects(channel.send("y"), { message: "Uncaught" });
});

test("a large text is sent to the page once", () => {
  const large = JSON.stringify({ expression: "x".repeat(200_000) });
  for (const session of ["V", "W"]) channel.sendText("Runtime.evaluate", large, session);
  assert.equal(root.evaluated.filter((text) => text.startsWith("keep(")).length, 1);
  assert.deepEqual(passed().map(([, number]) => number), [0, 0]);
  assert.ok(passed().every(([before, , after]) => before.length + after.length < 200));
});

test("events are heard, with their sessions; not those of the page itself, which is let go of", () => {
  root.tells({ method: "Target.attachedToTarget", params: { sessionId: "W", targetInfo: { targetId: "U" } }, sessionId: "P" });
  root.tells({ method: "Target.attachedToTarget", params: { sessionId: "X", targetInfo: { targetId: "T" } } });
  root.tells({ method: "Target.attachedToTarget", params: { sessionId: "Y", targetInfo: { targetId: "U" } } }, "other");
  root.says({ method: "Runtime.bindingCalled", params: { name: "linmemSays", payload: "?" } }, "another session");
  assert.deepEqual(heard, [["W", "P"]]);
  assert.match(passed().at(-1).join(), /Target\.detachFromTarget.*"X"/);
});

test("what waits for an answer when the browser ends fails", async () => {
  const answer = channel.send("x");
  root.listeners.close();
  await assert.rejects(answer, { message: "the browser has ended" });
});
