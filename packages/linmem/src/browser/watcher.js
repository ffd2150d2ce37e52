// What watches a page or a worker, where others find it.

/** Where a page has what watches it. */
export const RECORDER = Symbol.for("linmem.browser");

/** What watches this page or worker; undefined if nothing does. */
export const watcher = () => (Object.hasOwn(globalThis, RECORDER) ? globalThis[RECORDER] : undefined);
