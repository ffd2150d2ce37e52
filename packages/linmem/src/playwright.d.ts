import type { Page, PlaywrightTestArgs, PlaywrightTestOptions, PlaywrightWorkerArgs, PlaywrightWorkerOptions, TestType } from "@playwright/test";

export { expect } from "@playwright/test";

/** What allocator functions do. */
export type AllocatorRole =
  | "malloc"
  | "calloc"
  | "realloc"
  | "reallocarray"
  | "free"
  | "aligned_alloc"
  | "posix_memalign"
  | "rust_alloc"
  | "rust_dealloc"
  | "rust_realloc"
  | "cabi_realloc"
  | "wbindgen_realloc"
  | "sized_free"
  | "global_alloc"
  | "global_dealloc"
  | "global_realloc"
  | "method_malloc"
  | "method_free"
  | "method_realloc"
  | "nothrow_new"
  | "fixed_memalign";

/** `test.use({ linmem: { … } })`. */
export interface LinmemOptions {
  /** Which findings fail a test; "error" without it. */
  failOn?: "error" | "warning" | "never";
  /** Whether garbage is collected, and finalizers run, when the test is over, so that they are judged too. */
  collect?: boolean;
  /** Whether a test may pass although a page, a worker or a module could not be watched. */
  allowUnwatched?: boolean;
  /** Call stacks to list in each category of hot sites; 3 without it. */
  top?: number;
  /** Allocator functions, each by name or index, where a module does not say which they are. */
  allocator?: { [role in AllocatorRole]?: string | number | readonly (string | number)[] };
}

/** What the recorder has seen in the browser since the test began. */
export interface LinmemPage {
  /** The report as text, as `linmem browser` prints it. */
  report(): Promise<string>;
  /** The report as an object: docs/report-json.md describes it. */
  json(): Promise<Record<string, unknown>>;
  /** The recordings, one for each document and worker. `linmem report` reads a directory of them. */
  trace(): Promise<{ name: string; bytes: Uint8Array }[]>;
}

export type WatchedPage = Page & { readonly linmem: LinmemPage };

export interface LinmemArgs {
  page: WatchedPage;
  /** How a test is watched; `false`: not at all. */
  linmem: LinmemOptions | false;
}

/** Playwright's `test`, with every WebAssembly instance in the browser under observation. */
export declare const test: TestType<Omit<PlaywrightTestArgs, "page"> & PlaywrightTestOptions & LinmemArgs, PlaywrightWorkerArgs & PlaywrightWorkerOptions>;
