// What this JavaScript engine is good at. The limits were measured, in code units: below them a
// loop beats `encodeInto`. A bundler's `Buffer` is not Node's, hence the look at `process.versions`.

const { Bun, Deno, process, navigator, Buffer } = globalThis;

const isNode = process?.versions?.node !== undefined && Bun === undefined && Deno === undefined;

/** Whether views are `Buffer`s: its native search and decoder beat the standard ones on Node. */
export const hasNativeBuffer = isNode && typeof Buffer?.prototype.utf8Slice === "function";

/** Up to how many code units text is written by a loop. */
export const loopLimit = isNode ? 24 : Bun !== undefined ? 14 : Deno !== undefined ? 45 : 80;

/** Whether a guest's `strlen` finds a NUL faster than `Uint8Array.prototype.indexOf` does. */
export const guestSearchesFaster = !isNode && (Deno !== undefined || /Chrome/.test(navigator?.userAgent));

/** A view of a whole buffer. */
export const viewOf = (buffer) => (hasNativeBuffer ? Buffer.from(buffer) : new Uint8Array(buffer));
