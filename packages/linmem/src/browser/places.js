// How a reader is told where a script's code is: `src/app.js:5`. A driver may know better, from a source map.

// A program may replace them.
const { URL } = globalThis;
const { stringify } = JSON;

// Stands for the place in the words of a frame.
const HERE = "\0";

// A script that was made from a `data:` URL has a long name.
const LONGEST_SENT = 2000;

// What stands further to the right than this is on a line that no one wrote, with much else on it.
const LONGEST_LINE = 500;
const LONGEST_LINE_OF_PACKAGE = 80;

// Tells one script that was made from a text from another.
const BLOB_DIGITS = 8;

/**
 * The frame of a position, of which `words(place)` are its words. With a `mark`, a driver gets the whole position after it:
 * src/driver/marked-places.js.
 */
export function frameAt(mark, words, file, line, column) {
  const text = words(placeOf(file, line, column));
  if (mark === undefined) return { text };
  const [before, after] = words(HERE).split(HERE);
  const sent = mark + stringify([before, file, line, column, after, ownOrigin()]);
  return sent.length > LONGEST_SENT ? { text } : { text, sent };
}

/** A position in a script. */
export function placeOf(file, line, column, origin = ownOrigin()) {
  const longest = file.includes("/node_modules/") ? LONGEST_LINE_OF_PACKAGE : LONGEST_LINE;
  return `${shorten(file, origin)}:${column > longest ? `${line}:${column}` : line}`;
}

// Files of the page's own server are told by their paths. What follows a `?` is for caches.
function shorten(file, origin) {
  const url = parsed(file);
  if (url === undefined) return file;
  if (url.protocol === "blob:") return `blob:${file.slice(file.lastIndexOf("/") + 1).slice(0, BLOB_DIGITS)}`;
  if (url.protocol === "data:") return "data";
  if (url.origin === "null" || url.origin !== origin) return url.href.slice(0, url.href.length - url.search.length - url.hash.length);
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
