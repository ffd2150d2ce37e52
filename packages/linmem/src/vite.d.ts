import type { Plugin } from "vite";

/** A function of a module, by name or by index; or several of them. */
type Functions = string | number | readonly (string | number)[];

type AllocatorFunction =
  | "malloc" | "calloc" | "realloc" | "reallocarray" | "free" | "alignedAlloc" | "posixMemalign"
  | "rustAlloc" | "rustDealloc" | "rustRealloc" | "cabiRealloc" | "wbindgenRealloc" | "sizedFree"
  | "globalAlloc" | "globalDealloc" | "globalRealloc" | "methodMalloc" | "methodFree" | "methodRealloc";

/** Call stacks to list in each category of hot sites; and allocator functions, where a module does not say which they are. */
export type LinmemOptions = { top?: number } & { [role in AllocatorFunction]?: Functions };

/**
 * A plugin of Vite: while the development server runs, every WebAssembly instance of the app is watched, and the terminal has
 * a report on each page when it is left. A build has nothing of it.
 */
export default function linmem(options?: LinmemOptions): Plugin;
