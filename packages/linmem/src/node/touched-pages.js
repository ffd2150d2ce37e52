// Which parts of a large memory were ever touched, as Linux tells it: `/proc/self/maps` has the ranges of addresses, and
// `/proc/self/pagemap` eight bytes for each page of the system, with a bit for those that are there and one for those
// that are swapped out (https://docs.kernel.org/admin-guide/mm/pagemap.html). The others of an anonymous private mapping
// are zero.
//
// At which address a memory begins is not known. Among the mappings of its size it is the one where a page comes to be
// there when it is read from the memory.

import * as fs from "node:fs";

// A program may replace them.
const { closeSync, openSync, readFileSync, readSync } = fs;

const SYSTEM_PAGE = 4096;
const ENTRY = 8;

// The upper half of an entry: present, swapped.
const IS_THERE = 0xc000_0000;

// So many pages have to come.
const PROBES = 3;

// Anonymous and private, to read and to write: `7f0000000000-7f0080000000 rw-p 00000000 00:00 0 `.
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) rw-p [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ 0 *$/;

/** Of each part of so many bytes of a memory, 1 if it may have been touched; undefined where that is not known. */
export function touched(memory, partBytes) {
  if (process.platform !== "linux") return undefined;
  let pagemap;
  try {
    pagemap = openSync("/proc/self/pagemap", "r");
    for (const begin of mappingsOf(memory.length)) {
      const entries = entriesAt(pagemap, begin, memory.length);
      if (isOf(memory, entries, (page) => entriesAt(pagemap, begin + page * SYSTEM_PAGE, SYSTEM_PAGE)[1])) return partsOf(entries, memory.length, partBytes);
    }
  } catch {
    // Not to be had here: all of the memory is looked at then.
  } finally {
    if (pagemap !== undefined) closeSync(pagemap);
  }
  return undefined;
}

function mappingsOf(bytes) {
  const lines = readFileSync("/proc/self/maps", "latin1").split("\n");
  const mappings = lines.map((line) => MAPPING.exec(line)).filter((match) => match !== null);
  return mappings.map(([, begin, end]) => [parseInt(begin, 16), parseInt(end, 16)]).flatMap(([begin, end]) => (end - begin === bytes ? [begin] : []));
}

// The entries of the pages there, as two words each.
function entriesAt(pagemap, address, bytes) {
  const entries = new Uint32Array((bytes / SYSTEM_PAGE) * (ENTRY / Uint32Array.BYTES_PER_ELEMENT));
  const into = new Uint8Array(entries.buffer);
  for (let at = 0; at < into.length; ) {
    const read = readSync(pagemap, into, at, into.length - at, (address / SYSTEM_PAGE) * ENTRY + at);
    if (read === 0) throw new Error("the file is too short");
    at += read;
  }
  return entries;
}

const isThere = (entry) => (entry & IS_THERE) !== 0;

// Whether the mapping with these entries is the memory's; `entryOf` is the upper half of a page's entry now.
function isOf(memory, entries, entryOf) {
  let probes = 0;
  for (let page = memory.length / SYSTEM_PAGE - 1; page >= 0 && probes < PROBES; page--) {
    if (isThere(entries[page * 2 + 1])) continue;
    if (isThere(entryOf(page))) return false;
    if (memory[page * SYSTEM_PAGE] !== 0) return false;
    if (!isThere(entryOf(page))) return false;
    probes++;
  }
  return probes === PROBES;
}

function partsOf(entries, bytes, partBytes) {
  const parts = new Uint8Array(bytes / partBytes);
  const pages = partBytes / SYSTEM_PAGE;
  for (let page = 0; page * 2 < entries.length; page++) {
    if (isThere(entries[page * 2 + 1])) parts[Math.floor(page / pages)] = 1;
  }
  return parts;
}
