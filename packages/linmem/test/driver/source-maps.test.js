// Places in a page's scripts become places in their sources, in a trace that goes through in parts of any size.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { transform } from "esbuild";
import { frameAt } from "../../src/browser/places.js";
import { fetchedMap } from "../../src/driver/fetched-maps.js";
import { MarkedPlaces, textOf, wordsOf } from "../../src/driver/marked-places.js";
import { SourceMaps } from "../../src/driver/source-maps.js";

const MARK = "0123456789abcdef";
const ORIGIN = "http://localhost:5173";

globalThis.origin = ORIGIN;

const marked = (line = 7, file = `${ORIGIN}/src/main.js`) => frameAt(MARK, (place) => `work (${place})`, file, line, 3).sent;
const frame = (text) => Buffer.concat([Buffer.of(0), textOf(text)]);

/** What a trace becomes that comes in parts of so many bytes. */
function through(bytes, size, words = wordsOf) {
  const places = new MarkedPlaces(MARK);
  const parts = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(...places.take(bytes.subarray(at, at + size)));
  parts.push(...places.finish());
  return Buffer.concat(parts.map((part) => (Buffer.isBuffer(part) ? part : textOf(words(part)))));
}

test("a frame has words, and what is sent", () => {
  assert.deepEqual(frameAt(undefined, (place) => `work (${place})`, `${ORIGIN}/a.js`, 5, 3), { text: "work (a.js:5)" });
  const { text, sent } = frameAt(MARK, (place) => `work (${place})`, `${ORIGIN}/a.js`, 5, 3);
  assert.equal(text, "work (a.js:5)");
  assert.equal(sent, `${MARK}["work (","${ORIGIN}/a.js",5,3,")","${ORIGIN}"]`);
  assert.equal(frameAt(MARK, (place) => place, `data:${"x".repeat(3000)}`, 5, 3).sent, undefined);
});

for (const size of [1, 2, 3, 7, 16, 17, 64, 100, 1e6]) {
  test(`in parts of ${size} bytes`, () => {
    const others = [Buffer.from("before"), Buffer.from(MARK.slice(0, 9)), Buffer.from([0x80, 0xff, 0]), Buffer.from(MARK), Buffer.alloc(300, 0x80)];
    const long = `${ORIGIN}/${"x".repeat(300)}.js`;
    const trace = Buffer.concat([others[0], frame(marked(7)), frame(marked(8)), others[1], frame(marked(9, long)), others[2], others[3], others[4], frame("plain"), frame(marked(10))]);
    const expected = Buffer.concat([others[0], frame("work (src/main.js:7)"), frame("work (src/main.js:8)"), others[1], frame(`work (${"x".repeat(300)}.js:9)`), others[2], others[3], others[4], frame("plain"), frame("work (src/main.js:10)")]);
    assert.deepEqual(through(trace, size), expected);
  });
}

for (const text of [`${MARK}`, `${MARK}[`, `${MARK}["a",1]`, `${MARK}["a","b","1",2,"c","d"]`, `${MARK}{}`, `${MARK}null`, `${MARK}${"[".repeat(5000)}`]) {
  test(`what no recorder marks stays as it is: ${text.slice(0, 50)}`, () => {
    const trace = Buffer.concat([frame(text), Buffer.from("after")]);
    for (const size of [5, 1e6]) assert.deepEqual(through(trace, size), trace);
  });
}

const place = (line, column, file = `${ORIGIN}/src/main.js`) => ({ before: "work (", file, line, column, after: ")", origin: ORIGIN });
const SOURCE = "interface A {\n  b: number;\n}\nexport function work(a: A) {\n  return a.b;\n}\n";

async function mapOf(options = {}) {
  const { map } = await transform(SOURCE, { loader: "ts", sourcemap: "external", sourcefile: "main.ts", ...options });
  return JSON.parse(map);
}

test("a line of a source", async () => {
  const map = await mapOf();
  assert.equal(new SourceMaps(() => map).wordsOf(place(2, 3)), "work (src/main.ts:5)");
  assert.equal(await new SourceMaps(async () => map).wordsOf(place(2, 3)), "work (src/main.ts:5)");
});

test("where sources are", async () => {
  const map = await mapOf();
  const shown = (change) => new SourceMaps(() => ({ ...map, ...change })).wordsOf(place(2, 3)).slice(6, -1);
  assert.equal(shown({ sources: ["../lib/a.ts"] }), "lib/a.ts:5");
  assert.equal(shown({ sources: ["../../../../a.ts"] }), "a.ts:5");
  assert.equal(shown({ sources: ["webpack://app/./src/a.ts"] }), "src/a.ts:5");
  assert.equal(shown({ sources: ["a.ts"], sourceRoot: "/base/" }), "base/a.ts:5");
  assert.equal(shown({ sources: ["https://cdn.example/a.ts"] }), "https://cdn.example/a.ts:5");
  assert.equal(shown({ sources: [null] }), "src/main.js:2");
});

test("an index map", async () => {
  const map = { version: 3, sections: [{ offset: { line: 10, column: 0 }, map: await mapOf() }] };
  const maps = new SourceMaps(() => map);
  assert.equal(maps.wordsOf(place(12, 3)), "work (src/main.ts:5)");
  assert.equal(maps.wordsOf(place(2, 3)), "work (src/main.js:2)");
});

test("a line that the map does not have is the script's", async () => {
  const maps = new SourceMaps(await mapOf().then((map) => () => map));
  assert.equal(maps.wordsOf(place(200, 1)), "work (src/main.js:200)");
});

for (const payload of [undefined, null, 5, "map", {}, [], { version: 3 }, { version: 3, sources: 7, mappings: "AAAA" }, { version: 3, sources: ["a"], mappings: 7 }, { version: 3, sources: ["a"], mappings: "!!!!;;;,,zzzzzzzzzzzzzz" }, { version: 3, sections: [{}] }, { version: 3, sources: [{}], mappings: "AAAA" }]) {
  test(`what is not a map: ${JSON.stringify(payload)}`, async () => {
    for (const load of [() => payload, async () => payload]) assert.match(await new SourceMaps(load).wordsOf(place(1, 1)), /^work \((src\/main\.js|src\/a):1\)$/);
  });
}

test("a map that cannot be loaded, and one of what is not served", async () => {
  const fails = () => { throw new Error("no"); };
  assert.equal(new SourceMaps(fails).wordsOf(place(1, 1)), "work (src/main.js:1)");
  assert.equal(await new SourceMaps(async () => fails()).wordsOf(place(1, 1)), "work (src/main.js:1)");
  for (const file of ["file:///etc/passwd", "blob:http://localhost:5173/0a1b2c3d-1", "data:text/javascript,x", "eval"]) {
    assert.doesNotThrow(() => new SourceMaps(fails).wordsOf(place(1, 1, file)));
  }
});

let server, address, asked;

before(async () => {
  const map = await mapOf();
  const inline = `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`;
  const files = {
    "/inline.js": `x;\n//# sourceMappingURL=${inline}\n`,
    "/quoted.js": `x;\n//# sourceMappingURL=data:application/json,${encodeURIComponent(JSON.stringify(map))}`,
    "/beside.js": "x; '//# sourceMappingURL=no'\n//# sourceMappingURL=no.map\n//# sourceMappingURL=maps/beside.js.map",
    "/maps/beside.js.map": `)]}'\n${JSON.stringify(map)}`,
    "/elsewhere.js": "//# sourceMappingURL=http://127.0.0.1:1/a.map",
    "/file.js": "//# sourceMappingURL=file:///etc/passwd",
    "/none.js": "x;",
    "/long.js": "x".repeat(33 << 20),
  };
  server = createServer(({ url }, response) => {
    asked.push(url);
    if (url === "/moved.js") return response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
    response.writeHead(files[url] === undefined ? 404 : 200).end(files[url]);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${server.address().port}`;
});

after(() => server.close());

for (const file of ["inline", "quoted", "beside"]) {
  test(`a map is fetched: ${file}`, async () => {
    asked = [];
    assert.deepEqual((await fetchedMap(`${address}/${file}.js`, address)).sources, ["main.ts"]);
    assert.equal(asked.length, file === "beside" ? 2 : 1);
  });
}

test("a map is fetched from the page's own server only", async () => {
  asked = [];
  assert.equal(await fetchedMap(`${address}/inline.js`, "http://localhost:5173"), undefined);
  assert.deepEqual(asked, []);
  for (const name of ["elsewhere", "file", "moved", "missing", "long"]) await assert.rejects(fetchedMap(`${address}/${name}.js`, address), name);
  assert.equal(await fetchedMap(`${address}/none.js`, address), undefined);
});
