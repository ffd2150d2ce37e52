// A string of 128 Ki letters: with its NUL one byte more than two pages, and so more than the whole
// memory of a new instance.
export const long = "a".repeat(128 * 1024);

/** The memory's size, as the host sees it. */
export const size = (strings) => strings.memory.buffer.byteLength;
