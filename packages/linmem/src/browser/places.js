// How a reader is told where a script's code is: `src/app.js:5`.

// A program may replace it.
const { URL } = globalThis;

// What stands further to the right than this is on a line that no one wrote, with much else on it.
const LONGEST_LINE = 500;
const LONGEST_LINE_OF_PACKAGE = 80;

// Tells one script that was made from a text from another.
const BLOB_DIGITS = 8;

/** A position in a script. */
export function placeOf(file, line, column) {
  const longest = file.includes("/node_modules/") ? LONGEST_LINE_OF_PACKAGE : LONGEST_LINE;
  return `${shortFile(file)}:${column > longest ? `${line}:${column}` : line}`;
}

const shortFiles = new Map();

function shortFile(file) {
  if (!shortFiles.has(file)) shortFiles.set(file, shorten(file));
  return shortFiles.get(file);
}

// Files of the page's own server are told by their paths. What follows a `?` is for caches.
function shorten(file) {
  const url = parsed(file);
  if (url === undefined) return file;
  if (url.protocol === "blob:") return `blob:${file.slice(file.lastIndexOf("/") + 1).slice(0, BLOB_DIGITS)}`;
  if (url.protocol === "data:") return "data";
  if (url.origin === "null" || url.origin !== ownOrigin()) return url.href.slice(0, url.href.length - url.search.length - url.hash.length);
  return url.pathname === "/" ? "/" : url.pathname.slice(1);
}

// A worker that was made from a text has the origin of its page, and an empty frame that of its parent.
const ownOrigin = () => globalThis.origin;

function parsed(url) {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
