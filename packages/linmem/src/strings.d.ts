/// <reference lib="esnext.disposable" />

/** A pointer, or a size, as the guest's functions take it: a BigInt where the memory is 64-bit. */
export type Pointer = number | bigint;

export interface Options {
  /**
   * A NUL inside a text: an error, or the text up to it, or (`"allow"`) all of it, for functions
   * that take a length too. Default `"error"`.
   */
  onNul?: "error" | "truncate" | "allow";
  /** Half of a surrogate pair: U+FFFD in its place, or an error. Default `"replace"`. */
  onLoneSurrogate?: "replace" | "error";
  /** Bytes of the guest's that are not UTF-8: U+FFFD in their place, or an error. Default `"replace"`. */
  invalid?: "replace" | "fatal";
  /** How many bytes a NUL-terminated string may have. Default 64 MiB. */
  scanLimit?: number;
  /**
   * How many bytes of the guest's memory are kept for short strings that are lent, from the first
   * such string until `release()`. 0 for none. Default 16384.
   */
  scratch?: number;
  /** For a module without an allocator: strings can be read only. Default false. */
  readOnly?: boolean;
  /** Remembers where strings were allocated; findings go to the function, or to console.warn. Default false. */
  debug?: boolean | ((finding: Finding) => void);
}

/** What the debug mode found. `cause` has the stack of the allocation. */
export interface Finding extends Error {
  code: "string-dropped" | "foreign-pointer";
}

/** The parts of a module, where they have other names. */
export interface Parts {
  memory: WebAssembly.Memory;
  /** (size, alignment) → pointer */
  malloc: Function;
  /** (pointer, size, alignment) */
  free: Function;
  /** (pointer, size) → pointer, or (pointer, old size, size, alignment) → pointer */
  realloc?: Function;
  /** (pointer) → length; used where the engine's own search is slow */
  strlen?: Function;
}

/** A module instance's exports; with their names, when they are known. */
export type Exports = object;

/** What `with` and `withAll` return: a promise of it when the callback returns a promise. */
type Settled<T> = T extends PromiseLike<infer U> ? Promise<U> : T;

export interface CStrings<E extends Exports = Exports, P extends Pointer = number> {
  /**
   * Lends a text to the guest: `run` gets a pointer to it, NUL-terminated, and its length in bytes.
   * Afterwards the string is gone; if `run` returns a promise, when that has settled.
   *
   * @example strings.with("banana", (pointer) => exports.count_as(pointer))
   */
  with<T>(text: string, run: (pointer: P, byteLength: P) => T): Settled<T>;

  /**
   * Lends several texts, with one allocation at most. `null` becomes NULL.
   *
   * @example strings.withAll(["a", null], (a, b) => exports.concatenate(a, b))
   */
  withAll<T>(texts: readonly (string | null | undefined)[], run: (...pointers: P[]) => T): Settled<T>;

  /**
   * Puts a text into the guest's memory until it is freed.
   *
   * @example using title = strings.alloc("title"); exports.set_title(title.ptr)
   */
  alloc(text: string): GuestString<P>;

  /** Reads a string of the guest's: up to its NUL, or so many bytes. It stays the guest's. */
  read(pointer: Pointer, byteLength?: Pointer): string;

  /**
   * Reads a string that the guest gave away, and frees it (also when it cannot be read), with `free`
   * if another function than the allocator's does that. A sized one is told the string's length,
   * and the NUL's.
   */
  take(pointer: Pointer, byteLength?: Pointer, free?: Function): string;

  /**
   * Exports as functions on strings.
   *
   * @example const { upper } = strings.wrap({ upper: ["string", "->", "owned string"] })
   */
  wrap<const S extends Signatures>(signatures: S & Known<S, E>): Wrapped<S, P>;

  /** The block of the guest's memory that is kept for short strings: the library's own, no leak. */
  readonly scratch: { readonly ptr: P; readonly byteLength: number } | undefined;

  /** Gives the kept block back. The next short string gets a new one. `[Symbol.dispose]` does the same. */
  release(): void;
  [Symbol.dispose](): void;
}

/** In debug mode. */
export interface DebugCStrings<E extends Exports = Exports, P extends Pointer = number> extends CStrings<E, P> {
  /** The strings that were allocated or lent and are not freed yet, with the stack of each. */
  unfreed(): { ptr: P; size: number; allocated: Error }[];
}

/** A string in the guest's memory. */
export interface GuestString<P extends Pointer = number> {
  /** Where it lies. Throws after `free()`. */
  readonly ptr: P;
  /** Its length in bytes, without the NUL. */
  readonly byteLength: P;
  /** Gives it back. More than once does nothing. */
  free(): void;
  [Symbol.dispose](): void;
}

interface ParameterTypes<P> {
  i32: number;
  u32: number;
  i64: bigint;
  u64: bigint;
  f32: number;
  f64: number;
  pointer: P;
  string: string;
  "string?": string | null | undefined;
}

interface ResultTypes<P> {
  i32: number;
  u32: number;
  i64: bigint;
  u64: bigint;
  f32: number;
  f64: number;
  pointer: P;
  string: string;
  "string?": string | null;
  "owned string": string;
  "owned string?": string | null;
}

/** What a wrapped function may take. */
export type ParameterType = keyof ParameterTypes<Pointer>;

/** What it may return. A string is the guest's, an owned one is freed after reading, by the allocator or a named function. */
export type ResultType = keyof ResultTypes<Pointer> | `owned string${"" | "?"} freed by ${string}`;

/** Parameters, an arrow, a result; without result the function returns nothing. */
export type Signature =
  | readonly [...ParameterType[], "->", ResultType]
  | readonly [...ParameterType[], "->"]
  | readonly ParameterType[];

export type Signatures = { readonly [name: string]: Signature };

// Names that are not among the exports may have no signature.
type Known<S, E> = { readonly [K in keyof S]: K extends keyof E ? unknown : string extends keyof E ? unknown : never };

type Arguments<T extends readonly ParameterType[], P> = { -readonly [I in keyof T]: ParameterTypes<P>[T[I]] };

type Result<R, P> = R extends keyof ResultTypes<P>
  ? ResultTypes<P>[R]
  : R extends `owned string? freed by ${string}`
    ? string | null
    : string;

type WrappedFunction<S, P> = S extends readonly [...infer T extends readonly ParameterType[], "->", infer R]
  ? (...values: Arguments<T, P>) => Result<R, P>
  : S extends readonly [...infer T extends readonly ParameterType[], "->"]
    ? (...values: Arguments<T, P>) => void
    : S extends readonly ParameterType[]
      ? (...values: Arguments<S, P>) => void
      : never;

/** What `wrap` makes of signatures. */
export type Wrapped<S extends Signatures, P extends Pointer = number> = { -readonly [K in keyof S]: WrappedFunction<S[K], P> };

/**
 * The strings of an instance, found by its exports: a memory, and an allocator by the name of
 * malloc/free, allocate/deallocate, alloc/dealloc, __wbindgen_malloc/__wbindgen_free,
 * _malloc/_free or cabi_realloc.
 *
 * @example const strings = cstrings(instance)
 */
export function cstrings<E extends Exports>(
  source: { readonly exports: E } | E,
  options: Options & { debug: true | ((finding: Finding) => void) },
): DebugCStrings<E>;
export function cstrings<E extends Exports>(source: { readonly exports: E } | E, options?: Options): CStrings<E>;

/** The base of all errors. `code` is stable, and the same in every host. */
export class CStringError extends Error {
  readonly code: string;
}
/** NULL from the guest's allocator. */
export class AllocationError extends CStringError {
  readonly code: "allocation-failed";
  readonly size: number;
  readonly memoryBytes: number;
}
/** A NUL inside a text. `index` counts UTF-16 code units. */
export class EmbeddedNulError extends CStringError {
  readonly code: "embedded-nul";
  readonly index: number;
}
/** Half of a surrogate pair in a text. */
export class LoneSurrogateError extends CStringError {
  readonly code: "lone-surrogate";
  readonly index: number;
}
/** Bytes that are not UTF-8, the first `offset` bytes behind the string's `address`. */
export class InvalidUtf8Error extends CStringError {
  readonly code: "invalid-utf8";
  readonly address: number;
  readonly offset: number;
}
/** NULL where no type says that there may be none. */
export class NullPointerError extends CStringError {
  readonly code: "null-pointer";
}
/** No NUL in `scanned` bytes from `address`. */
export class UnterminatedError extends CStringError {
  readonly code: "unterminated";
  readonly address: number;
  readonly scanned: number;
}
/** Bytes that do not lie in the memory. */
export class OutOfRangeError extends CStringError {
  readonly code: "out-of-range";
  readonly address: number;
  readonly byteLength: number;
  readonly memoryBytes: number;
}
/** `.ptr` of a string that was freed. */
export class UseAfterFreeError extends CStringError {
  readonly code: "use-after-free";
}
/** The instance trapped earlier; `cause` is how. */
export class PoisonedError extends CStringError {
  readonly code: "poisoned";
}
/** The module does not export what is needed. */
export class MissingExportError extends CStringError {
  readonly code: "missing-export";
}
/** An argument, option or type that is none. */
export class ArgumentError extends CStringError {
  readonly code: "invalid-argument";
}
