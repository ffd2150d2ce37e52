// Writes the memories and the globals of the instances that are left, as they are at the end.

import { bytesIn, PAGE_BYTES } from "./engine.js";
import { EXPORTS } from "./names.js";
import { unsigned } from "./numbers.js";

const [NOBODYS, OWN, OTHER_THREADS] = [0, 1, 2];

// Most of a page may be zero.
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
const PART_WORDS = 4096 / WORD_BYTES;
const PAGE_WORDS = PAGE_BYTES / WORD_BYTES;

/** Writes a snapshot of each live instance of a recording. */
export function snapshot({ frames, instances, memories, nonzeroPages, records, suspension, threads }) {
  const framesLive = frames.isInModule || suspension.isUsed;
  instances.recordCollected();
  const seen = new Set();
  for (const instance of instances.live) {
    if (!instance.exports) continue;
    instance.look();
    records.writeCounts();
    if (!framesLive) instance.end();
    instance.select();
    // The first thread ends last.
    if (!seen.has(instance.ledger) && (threads.seesEnd || !instance.ledger.isShared)) snapshotOf(instance, records, nonzeroPages);
    seen.add(instance.ledger);
    records.globals(liveFrames(framesLive, instance, threads), globalsOf(instance));
  }
  if (!threads.seesEnd || !threads.haveEvents) return;
  if (threads.someAreUnwatched) memories.tellUnwatched();
  // Others may have used them.
  for (const shared of memories.tellShared()) if (!seen.has(shared.ledger) && shared.memory !== undefined) snapshotOf(shared, records, nonzeroPages);
}

// Whose frames are live, as the trace tells it.
function liveFrames(framesLive, { ledger }, threads) {
  if (framesLive) return OWN;
  return ledger.isShared && threads.othersAreActive ? OTHER_THREADS : NOBODYS;
}

function snapshotOf({ ledger, memory }, records, nonzeroPages) {
  const bytes = bytesIn(memory);
  records.snapshot(ledger.number, bytes.length / PAGE_BYTES);
  for (const page of nonzeroPages(bytes)) {
    for (const [from, to] of parts(bytes, page)) records.snapshotBytes(from, bytes.subarray(from, to));
  }
}

const globalsOf = ({ exports, module }) => module.map.globals.map((index) => [index, unsigned(exports[`${EXPORTS.global}${index}`].value)]);

/** The ranges of a page that are not zero. */
function* parts(memory, page) {
  const words = new Int32Array(memory.buffer, page, PAGE_WORDS);
  for (let at = 0; ; ) {
    const first = firstSet(words, at, PAGE_WORDS);
    if (first === PAGE_WORDS) return;
    const from = first - (first % PART_WORDS);
    at = from + PART_WORDS;
    while (at < PAGE_WORDS && firstSet(words, at, at + PART_WORDS) < at + PART_WORDS) at += PART_WORDS;
    yield [page + from * WORD_BYTES, page + at * WORD_BYTES];
  }
}

/** The offsets of the pages of a memory that are not zero, for hosts that have nothing faster. */
export function nonzeroPages({ buffer, byteLength }) {
  const pages = [];
  for (let page = 0; page < byteLength; page += PAGE_BYTES) {
    if (firstSet(new Int32Array(buffer, page, PAGE_WORDS), 0, PAGE_WORDS) < PAGE_WORDS) pages.push(page);
  }
  return pages;
}

// The first of sixteen words that are not all zero, which is most of the work; `to` where there are
// none. The words of a part are a multiple of them.
function firstSet(words, from, to) {
  for (let at = from; at < to; at += 16) {
    const first = words[at] | words[at + 1] | words[at + 2] | words[at + 3];
    const second = words[at + 4] | words[at + 5] | words[at + 6] | words[at + 7];
    const third = words[at + 8] | words[at + 9] | words[at + 10] | words[at + 11];
    const last = words[at + 12] | words[at + 13] | words[at + 14] | words[at + 15];
    if ((first | second | third | last) !== 0) return at;
  }
  return to;
}
