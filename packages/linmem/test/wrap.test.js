// Exports as functions on strings and numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cstrings } from "linmem/strings";
import { libcInstance, thrown } from "./support.js";

const { exports } = libcInstance();
const freed = [];
const strings = cstrings({ ...exports, free: (block) => freed.push(block) && exports.free(block), string_free: (block) => freed.push(`by name ${block}`) });

const api = strings.wrap({
  strlen: ["string", "->", "u32"],
  duplicate: ["string", "->", "owned string"],
  lesser: ["string", "string", "->", "string"],
  join: ["string?", "string?", "->", "owned string?"],
  greeting: ["->", "string"],
  negate: ["u32", "->", "u32"],
  negate_long: ["i64", "->", "u64"],
  half: ["f64", "->", "f64"],
  free: ["pointer"],
});

test("strings in and out", () => {
  assert.equal(api.strlen("héllo"), 6);
  assert.equal(api.duplicate("héllo"), "héllo");
  assert.equal(api.lesser("b", "a"), "a");
  assert.equal(api.lesser("a".repeat(20000), "b"), "a".repeat(20000));
  assert.equal(api.greeting(), "hello");
});

test("optional strings", () => {
  assert.equal(api.join("a", "b"), "ab");
  assert.equal(api.join(null, "b"), null);
  assert.equal(api.join("a", undefined), null);
  assert.equal(api.join("a"), null);
});

test("owned strings are freed, borrowed ones are not", () => {
  freed.length = 0;
  api.greeting();
  assert.equal(freed.length, 0);
  api.join("a", "b");
  assert.equal(freed.length, 1);
  assert.equal(strings.wrap({ duplicate: ["string", "->", "owned string freed by string_free"] }).duplicate("text"), "text");
  assert.match(String(freed[1]), /^by name/);
  assert.equal(strings.wrap({ join: ["string?", "string?", "->", "owned string? freed by string_free"] }).join("a"), null);
  assert.equal(freed.length, 2);
});

test("a string that is not optional must not be NULL", () => {
  thrown(() => strings.wrap({ join: ["string?", "string?", "->", "string"] }).join(), "null-pointer");
});

test("numbers have the sign and width of their type", () => {
  assert.equal(api.negate(1), 2 ** 32 - 1);
  assert.equal(strings.wrap({ negate: ["i32", "->", "i32"] }).negate(1), -1);
  assert.equal(strings.wrap({ negate: ["i32", "->", "pointer"] }).negate(16), 2 ** 32 - 16);
  assert.equal(api.negate_long(1n), 2n ** 64n - 1n);
  assert.equal(strings.wrap({ negate_long: ["u64", "->", "i64"] }).negate_long(1n), -1n);
  assert.equal(api.half(3), 1.5);
});

test("no result is undefined", () => {
  assert.equal(api.free(strings.alloc("text").ptr), undefined);
  assert.equal(strings.wrap({ half: ["f64", "->"] }).half(1), undefined);
});

test("arguments of the wrong type say which", () => {
  assert.match(thrown(() => api.lesser("a", 3), "invalid-argument").message, /lesser: argument 2 must be string, got 3/);
  for (const run of [
    () => api.strlen(null),
    () => api.strlen(),
    () => api.strlen("a", "b"),
    () => api.join(3),
    () => api.negate(-1),
    () => api.negate(2 ** 32),
    () => api.negate(1.5),
    () => api.negate("1"),
    () => api.negate(1n),
    () => strings.wrap({ negate: ["i32"] }).negate(2 ** 31),
    () => api.negate_long(1),
    () => api.negate_long(2n ** 63n),
    () => strings.wrap({ negate_long: ["u64"] }).negate_long(-1n),
    () => api.half("1"),
    () => api.free("1"),
  ]) {
    thrown(run, "invalid-argument");
  }
});

test("unknown exports and types are refused when wrapping", () => {
  thrown(() => strings.wrap({ lenght: ["string", "->", "u32"] }), "missing-export");
  thrown(() => strings.wrap({ memory: [] }), "missing-export");
  thrown(() => strings.wrap({ duplicate: ["string", "->", "owned string freed by nobody"] }), "missing-export");
  for (const signature of [["str"], ["owned string"], ["->", "str"], ["->", "u32?"], ["->", "u32", "u32"], ["->", "string freed by free"], ["toString"], ["->", "toString"]]) {
    thrown(() => strings.wrap({ duplicate: signature }), "invalid-argument");
  }
});
