// Promises of any kind: an engine's, another realm's, or a library's.

/** Whether to wait for a value. */
export const isThenable = (value) => typeof value === "object" && value !== null && typeof value.then === "function";
