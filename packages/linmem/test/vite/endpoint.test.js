// What arrives at the endpoint of linmem/vite is a stranger's: only pages of this server on this machine are heard, with the
// token; what no recorder sends ends the recording, and the terminal says so.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { MAGIC } from "../../src/record/names.js";
import { Endpoint } from "../../src/vite/endpoint.js";
import { PageLives } from "../../src/vite/page-lives.js";

const TOKEN = "0123456789abcdef0123456789abcdef";
const SCOPE = JSON.stringify({ isDocument: true, url: "http://localhost/page.html" });

let server, port, told, lives, count = 0, id;

before(async () => {
  const logger = { info: (line) => told.push(line), warn: (line) => told.push(line) };
  lives = new PageLives({ logger, hotSites: 3, ask() {}, mapOf: () => undefined });
  const endpoint = new Endpoint({ address: "/@linmem/", token: TOKEN, hints: [], lives, complain: (line) => told.push(line) });
  server = createServer((...both) => endpoint.handle(...both, () => both[1].writeHead(418).end()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address());
});

after(async () => {
  await lives.end();
  server.close();
});

beforeEach(() => {
  told = [];
  id = (++count).toString(16).padStart(16, "0");
});

const own = () => ({ origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "same-origin", "linmem-token": TOKEN, "linmem-recording": id, "linmem-part": "0" });
const begin = () => `p${id}${SCOPE}\nb${id}`;
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

function send(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ agent: false, port, host: "127.0.0.1", method, path, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const post = async (body, headers = {}) => (await send("POST", "/@linmem/part", { ...own(), ...headers }, body)).status;

test("a recording is heard", async () => {
  assert.equal(await post(begin()), 204);
  assert.equal(await post(`e${id}`, { "linmem-part": "1" }), 204);
  assert.deepEqual(told, []);
});

test("parts may come in any order", async () => {
  assert.equal(await post(`e${id}`, { "linmem-part": "1" }), 204);
  assert.equal(await post(begin()), 204);
  assert.equal(await post(`l${id}`, { "linmem-part": "2" }), 410);
});

for (const [name, headers] of Object.entries({
  "no token": { "linmem-token": "" },
  "a wrong token": { "linmem-token": TOKEN.replace("0", "1") },
  "another origin": { origin: "http://127.0.0.1:1" },
  "an opaque origin": { origin: "null" },
  "another site": { "sec-fetch-site": "cross-site" },
  "another port of this machine": { "sec-fetch-site": "same-site" },
  "a name that is a path": { "linmem-recording": "../../../etc/pas" },
  "a part that is not a number": { "linmem-part": "-1" },
})) {
  test(`${name} is refused`, async () => {
    assert.equal(await post(begin(), headers), 403);
    assert.deepEqual(told, []);
  });
}

test("without an origin nothing can be sent", async () => {
  const { origin, ...others } = own();
  assert.equal((await send("POST", "/@linmem/part", others, begin())).status, 403);
});

test("a page elsewhere does not get the script, which has the token", async () => {
  for (const site of ["cross-site", "same-site"]) {
    const { status, text } = await send("GET", "/@linmem/recorder.js", { "sec-fetch-site": site });
    assert.deepEqual([status, text], [403, ""]);
  }
  const { status, text, headers } = await send("GET", "/@linmem/recorder.js", { "sec-fetch-site": "same-origin" });
  assert.equal(status, 200);
  assert.ok(text.includes(TOKEN));
  assert.equal(headers["cross-origin-resource-policy"], "same-origin");
});

test("other paths are not there, or are Vite's", async () => {
  for (const path of ["", "../package.json", "part", "recorder.js/.."]) assert.equal((await send("GET", `/@linmem/${path}`, {})).status, 404);
  assert.equal((await send("GET", "/src/main.ts", {})).status, 418);
});

for (const [name, body] of Object.entries({
  "what is not base64": () => `t${id}\u0000`,
  "a message of another recording": () => "tfedcba9876543210AAAA",
  "an unknown message": () => `x${id}`,
  "no message": () => "",
  "a second beginning": () => `p${id}${SCOPE}`,
})) {
  test(`${name} ends the recording`, async () => {
    assert.equal(await post(begin()), 204);
    assert.equal(await post(body(), { "linmem-part": "1" }), 410);
    assert.deepEqual(told, ["linmem: page /page.html sent what is not a recording: its recording ends there"]);
    assert.equal(await post(`l${id}`, { "linmem-part": "2" }), 410);
    assert.equal(told.length, 1);
  });
}

for (const [name, first] of Object.entries({ "no JSON": "p{", "a document without a URL": 'p{"isDocument":true}', "no beginning": "b" })) {
  test(`a recording that begins with ${name} is not heard`, async () => {
    assert.equal(await post(first[0] + id + first.slice(1)), 410);
  });
}

test("a body that is too long ends the recording", async () => {
  assert.equal(await post(begin()), 204);
  const status = await post(Buffer.alloc(65 << 20, "A"), { "linmem-part": "1" }).catch(({ code }) => code);
  assert.ok([413, "EPIPE", "ECONNRESET"].includes(status), status);
  assert.deepEqual(told, ["linmem: page /page.html sent more than 64 MiB at once: its recording ends there"]);
});

test("a part that came before ends the recording", async () => {
  assert.equal(await post(begin()), 204);
  assert.equal(await post(`l${id}`), 410);
});

test("a trace that cannot be read is a line, and cannot command the terminal", async () => {
  const scope = JSON.stringify({ isDocument: true, url: "http://localhost/\u001b[2J.html?\u001b" });
  assert.equal(await post(`p${id}${scope}\nb${id}\nt${id}${base64([...MAGIC, 0x7f, 1, 2, 3])}\ng${id}`), 204);
  for (const end = Date.now() + 5000; told.length === 0 && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(told.length, 1);
  assert.match(told[0], /^linmem: no report on page [^\u001b]*: /);
});
