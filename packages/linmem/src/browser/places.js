// How a reader is told where a script's code is: `src/app.js:5`.

// What stands further to the right than this is on a line that no one wrote, with much else on it.
const LONGEST_LINE = 500;
const LONGEST_LINE_OF_PACKAGE = 80;

// Tells one script that was made from a text from another.
const BLOB_DIGITS = 8;

/** A position in a script, given its URL and the URL of the page or the worker. */
export function placeOf(file, line, column, page) {
  const longest = file.includes("/node_modules/") ? LONGEST_LINE_OF_PACKAGE : LONGEST_LINE;
  return `${shortFile(file, page)}:${column > longest ? `${line}:${column}` : line}`;
}

const shortFiles = new Map();

function shortFile(file, page) {
  if (!shortFiles.has(file)) shortFiles.set(file, shorten(file, page));
  return shortFiles.get(file);
}

// Files of the page's own server are told by their paths. What follows a `?` is for caches.
function shorten(file, page) {
  const url = parsed(file);
  if (url === undefined) return file;
  if (url.protocol === "blob:") return `blob:${file.slice(file.lastIndexOf("/") + 1).slice(0, BLOB_DIGITS)}`;
  if (url.protocol === "data:") return "data:";
  if (url.origin === "null" || url.origin !== originOf(page)) return url.href.slice(0, url.href.length - url.search.length - url.hash.length);
  return url.pathname === "/" ? "/" : url.pathname.slice(1);
}

// A worker that was made from a text has the origin of its page.
const originOf = (page) => parsed(page)?.origin;

function parsed(url) {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}
