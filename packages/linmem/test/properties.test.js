// Random texts and every code point through wasi-libc's strdup, and random bytes against the platform.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cstrings } from "linmem/strings";
import { libcInstance, makeMemory, thrown } from "./support.js";

// Mulberry32: small, and the same texts every time.
function random(seed) {
  return (limit) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const ALPHABETS = [
  (pick) => 1 + pick(127),
  (pick) => 1 + pick(0x7ff),
  (pick) => 1 + pick(0xffff),
  (pick) => 0x10000 + pick(0x100000),
  (pick) => (pick(20) > 0 ? 0x61 : 0x20ac),
];

function randomText(pick) {
  const alphabet = ALPHABETS[pick(ALPHABETS.length)];
  const length = pick(2) ? pick(40) : pick(3000);
  return String.fromCodePoint(...Array.from({ length }, () => alphabet(pick)));
}

test("random texts come back from strdup", () => {
  const { exports } = libcInstance();
  const strings = cstrings(exports);
  const { duplicate, strlen } = strings.wrap({ duplicate: ["string", "->", "owned string"], strlen: ["string", "->", "u32"] });
  const pick = random(1);
  for (let i = 0; i < 3000; i++) {
    const text = randomText(pick);
    const expected = text.toWellFormed();
    assert.equal(duplicate(text), expected);
    assert.equal(strlen(text), Buffer.byteLength(text));
    const kept = strings.alloc(text);
    assert.equal(kept.byteLength, Buffer.byteLength(text));
    assert.equal(strings.take(exports.duplicate(kept.ptr)), expected);
    kept.free();
  }
});

test("memory comes to rest: nothing leaks", () => {
  const { exports } = libcInstance();
  const { duplicate } = cstrings(exports).wrap({ duplicate: ["string", "->", "owned string"] });
  const size = () => exports.memory.buffer.byteLength;
  const round = () => {
    for (const length of [10, 1000, 100000]) duplicate("é".repeat(length));
    return size();
  };
  const settled = round();
  for (let i = 0; i < 50; i++) assert.equal(round(), settled);
});

test("every code point makes the round trip", () => {
  const { exports } = libcInstance();
  const strings = cstrings(exports);
  const { duplicate } = strings.wrap({ duplicate: ["string", "->", "owned string"] });
  const all = [];
  for (let code = 1; code < 0x110000; code++) if (code < 0xd800 || code > 0xdfff) all.push(code);
  for (let i = 0; i < all.length; i += 4096) {
    const text = String.fromCodePoint(...all.slice(i, i + 4096));
    assert.equal(duplicate(text), text);
  }
  for (const code of all) {
    if (code > 0x3000 && code % 97 > 0) continue;
    const text = String.fromCodePoint(code);
    assert.equal(duplicate(text), text);
  }
});

test("every lone surrogate becomes U+FFFD, or is refused", () => {
  const { exports } = libcInstance();
  const strict = cstrings(exports, { onLoneSurrogate: "error" });
  const lenient = cstrings(exports);
  for (let unit = 0xd800; unit <= 0xdfff; unit++) {
    const text = `a${String.fromCharCode(unit)}`;
    assert.equal(lenient.with(text, (p) => lenient.read(p)), "a\ufffd");
    assert.equal(thrown(() => strict.with(text, assert.fail), "lone-surrogate").index, 1);
  }
});

test("random bytes decode as the platform decodes them", () => {
  const memory = makeMemory({ initial: 1 });
  const view = new Uint8Array(memory.buffer);
  const lenient = cstrings({ memory }, { readOnly: true });
  const fatal = cstrings({ memory }, { readOnly: true, invalid: "fatal" });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  const interesting = [0x61, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff, 0xbd];
  const pick = random(2);
  for (let i = 0; i < 20000; i++) {
    const bytes = Uint8Array.from({ length: pick(24) }, () => interesting[pick(interesting.length)]);
    view.set(bytes, 8);
    view[8 + bytes.length] = 0;
    const expected = decoder.decode(bytes);
    assert.equal(lenient.read(8), expected);
    assert.equal(lenient.read(8, bytes.length), expected);
    if (isValid(strict, bytes)) {
      assert.equal(fatal.read(8), expected);
    } else {
      const { offset } = thrown(() => fatal.read(8), "invalid-utf8");
      assert.ok(isValid(strict, bytes.subarray(0, offset)));
      assert.ok(!startsValid(strict, bytes.subarray(offset)));
    }
  }
});

function isValid(decoder, bytes) {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const startsValid = (decoder, bytes) => [1, 2, 3, 4].some((length) => length <= bytes.length && isValid(decoder, bytes.subarray(0, length)));
