// Lines for a terminal, which may have names from a module or a page.

/** Lines of text, each with its end. */
export const inLines = (lines) => lines.map((line) => `${escaped(line)}\n`).join("");

/** A line without what commands a terminal. */
export const escaped = (line) => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\u{fffd}");
