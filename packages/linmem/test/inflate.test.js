// What a page inflates by itself is what zlib has deflated.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { inflate } from "../src/browser/inflate.js";
import { sha256 } from "../src/browser/sha256.js";

const own = readFileSync(new URL(import.meta.url));
const contents = {
  nothing: Buffer.alloc(0),
  "one byte": Buffer.from([7]),
  zeros: Buffer.alloc(100_000),
  "random bytes": randomBytes(200_000),
  text: Buffer.concat(Array(40).fill(own)),
  "a long way back": Buffer.concat([randomBytes(32_768), own, randomBytes(32_700), own]),
};

for (const [name, bytes] of Object.entries(contents)) {
  for (const options of [{ level: 0 }, { level: 1 }, { level: 9 }, { strategy: constants.Z_FIXED }, { strategy: constants.Z_HUFFMAN_ONLY }]) {
    test(`${name}, deflated with ${JSON.stringify(options)}`, () => {
      assert.ok(bytes.equals(inflate(deflateRawSync(bytes, options), bytes.length)));
    });
  }
}

test("the length has to be right", () => {
  assert.throws(() => inflate(deflateRawSync(own), own.length + 1), /not whole/);
});

test("the library", { skip: !existsSync(new URL("../dist/linmem.wasm", import.meta.url)) && "not built" }, () => {
  const library = readFileSync(new URL("../dist/linmem.wasm", import.meta.url));
  assert.ok(library.equals(inflate(deflateRawSync(library), library.length)));
});

test("SHA-256 of contents of every length around a block", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length);
    assert.equal(sha256(bytes), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
  }
});
