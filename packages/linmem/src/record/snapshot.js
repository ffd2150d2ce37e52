// Writes the memories and the globals of the instances that are left, as they are at the end.

import { bytesIn, PAGE_BYTES } from "./engine.js";
import { EXPORTS } from "./names.js";

const [NOBODYS, OWN, OTHER_THREADS] = [0, 1, 2];

// Most of a page may be zero.
const PART_BYTES = 4096;
const WORDS = PART_BYTES / Int32Array.BYTES_PER_ELEMENT;

/** Writes a snapshot of each live instance of a recording. */
export function snapshot({ frames, instances, memories, records, suspension, threads }) {
  const framesLive = frames.isInModule || suspension.isUsed;
  instances.recordCollected();
  const seen = new Set();
  for (const instance of instances.live) {
    if (!instance.exports) continue;
    instance.look();
    records.writeCounts();
    instance.select();
    // The first thread ends last.
    if (!seen.has(instance.ledger) && (threads.isFirst || !instance.ledger.isShared)) snapshotOf(instance, records);
    seen.add(instance.ledger);
    records.globals(liveFrames(framesLive, instance, threads), globalsOf(instance));
  }
  if (!threads.isFirst || !threads.haveEvents) return;
  if (threads.someAreUnwatched) memories.tellUnwatched();
  // Others may have used them.
  for (const shared of memories.tellShared()) if (!seen.has(shared.ledger) && shared.memory !== undefined) snapshotOf(shared, records);
}

// Whose frames are live, as the trace tells it.
function liveFrames(framesLive, { ledger }, threads) {
  if (framesLive) return OWN;
  return ledger.isShared && threads.othersAreActive ? OTHER_THREADS : NOBODYS;
}

function snapshotOf({ ledger, memory }, records) {
  const bytes = bytesIn(memory);
  records.snapshot(ledger.number, bytes.length / PAGE_BYTES);
  for (const [from, to] of parts(bytes)) records.snapshotBytes(from, bytes.subarray(from, to));
}

const globalsOf = ({ exports, module }) => module.map.globals.map((index) => [index, unsigned(exports[`${EXPORTS.global}${index}`].value)]);

const unsigned = (value) => (typeof value === "bigint" ? BigInt.asUintN(64, value) : value >>> 0);

/** The ranges that are not zero, within a page each. */
function* parts(memory) {
  let from = -1;
  for (let at = 0; at < memory.length; at += PART_BYTES) {
    if (from >= 0 && at % PAGE_BYTES === 0) {
      yield [from, at];
      from = -1;
    }
    const isZero = isZeroPart(memory, at);
    if (isZero && from >= 0) yield [from, at];
    if (isZero) from = -1;
    else if (from < 0) from = at;
  }
  if (from >= 0) yield [from, memory.length];
}

function isZeroPart(memory, at) {
  const words = new Int32Array(memory.buffer, at, WORDS);
  for (let i = 0; i < WORDS; i += 4) if ((words[i] | words[i + 1] | words[i + 2] | words[i + 3]) !== 0) return false;
  return true;
}
