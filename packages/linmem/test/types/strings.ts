// What must compile, and what must not. Each line below an expected error has exactly that one.

import { cstrings, CStringError, EmbeddedNulError, type CStrings, type Finding } from "linmem/strings";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Equal<A, B> extends true ? [] : [never]) => {};

interface Exports {
  memory: WebAssembly.Memory;
  malloc(size: number): number;
  free(pointer: number): void;
  count_as(text: number): number;
  upper(text: number): number;
  name(): number;
  scale(factor: number, by: bigint): number;
  string_free(pointer: number): void;
}

declare const exports: Exports;
declare const instance: WebAssembly.Instance;

const strings = cstrings(exports);
same<typeof strings, CStrings<Exports>>();

// with, withAll
same<ReturnType<typeof lend>, number>();
function lend() {
  return strings.with("text", (pointer, byteLength) => {
    same<typeof pointer, number>();
    same<typeof byteLength, number>();
    return exports.count_as(pointer);
  });
}
const later = strings.with("text", async (pointer) => exports.count_as(pointer));
same<typeof later, Promise<number>>();
const all = strings.withAll(["a", null, undefined], (a, b, c) => a + b + c);
same<typeof all, number>();
// @ts-expect-error a text must be a string
strings.with(null, () => 0);
// @ts-expect-error a text must be a string
strings.withAll([1], () => 0);

// alloc, read, take
{
  using text = strings.alloc("text");
  same<typeof text.ptr, number>();
  text.free();
  // @ts-expect-error the pointer cannot be changed
  text.ptr = 1;
}
same<ReturnType<typeof strings.read>, string>();
strings.read(1n, 2);
strings.take(1, undefined, exports.string_free);
// @ts-expect-error a pointer is a number
strings.read("text");

// wrap
const api = strings.wrap({
  count_as: ["string", "->", "u32"],
  upper: ["string", "->", "owned string"],
  name: ["->", "string?"],
  scale: ["f64", "i64", "->"],
  free: ["pointer"],
});
same<typeof api.count_as, (...values: [string]) => number>();
same<typeof api.upper, (...values: [string]) => string>();
same<typeof api.name, () => string | null>();
same<typeof api.scale, (...values: [number, bigint]) => void>();
same<typeof api.free, (...values: [number]) => void>();
api.count_as("banana").toFixed();
// @ts-expect-error an argument of the wrong type
api.count_as(3);
// @ts-expect-error an argument too few
api.count_as();
// @ts-expect-error an argument too many
api.count_as("a", "b");
// @ts-expect-error an i64 is a BigInt
api.scale(1, 2);
// @ts-expect-error the string may be missing
api.name().length;
// @ts-expect-error not wrapped
api.memory;
// @ts-expect-error no such export
strings.wrap({ count_bs: ["string", "->", "u32"] });
// @ts-expect-error no such type
strings.wrap({ count_as: ["str", "->", "u32"] });
// @ts-expect-error a parameter cannot be owned
strings.wrap({ upper: ["owned string", "->", "string"] });
const owned = strings.wrap({ upper: ["string?", "->", "owned string? freed by string_free"] });
same<typeof owned.upper, (...values: [string | null | undefined]) => string | null>();

// An instance whose exports are not known by name allows every name.
const untyped = cstrings(instance).wrap({ anything: ["string", "->", "string"] });
same<typeof untyped.anything, (...values: [string]) => string>();

// Options
cstrings(exports, { onNul: "truncate", onLoneSurrogate: "error", invalid: "fatal", scanLimit: 100, scratch: 0 });
cstrings(exports, { debug: true }).unfreed()[0]?.allocated.stack;
cstrings(exports, { debug: (finding: Finding) => finding.code });
cstrings({ memory: exports.memory, malloc: exports.malloc, free: exports.free });
// @ts-expect-error no such choice
cstrings(exports, { invalid: "ignore" });
// @ts-expect-error no such option
cstrings(exports, { nul: "error" });
// @ts-expect-error only in debug mode
strings.unfreed();

// 64-bit memory
declare const wide: CStrings<Exports, bigint>;
same<ReturnType<typeof wideLend>, bigint>();
function wideLend() {
  return wide.with("text", (pointer) => pointer);
}

// Errors
try {
  lend();
} catch (error) {
  if (error instanceof EmbeddedNulError) same<typeof error.index, number>();
  if (error instanceof CStringError) same<typeof error.code, string>();
}
