// The memory and the globals of every instance that is left, as they are at the end.

import { bytesIn, PAGE_BYTES } from "./engine.js";
import { isInModule } from "./stacks.js";
import * as trace from "./trace.js";
import { liveInstances } from "./watched-instance.js";

// Most of a page may be zero.
const PART_BYTES = 4096;
const ZERO = Buffer.alloc(PAGE_BYTES);

/** Writes a snapshot of each live instance. */
export function snapshot() {
  const framesLive = isInModule() ? 1 : 0;
  for (const instance of liveInstances()) if (instance.exports) snapshotOf(instance, framesLive);
}

function snapshotOf(instance, framesLive) {
  instance.checkLowMemory();
  instance.select();
  const memory = bytesIn(instance.memory);
  trace.snapshot(memory.length / PAGE_BYTES, framesLive, globalsOf(instance));
  for (const [from, to] of parts(memory)) trace.snapshotBytes(from, memory.subarray(from, to));
}

const globalsOf = ({ exports, module }) => module.map.globals.map((index) => [index, unsigned(exports[`linmem.global.${index}`].value)]);

const unsigned = (value) => (typeof value === "bigint" ? BigInt.asUintN(64, value) : value >>> 0);

/** The ranges that are not zero, within a page each. */
function* parts(memory) {
  for (let page = 0; page < memory.length; page += PAGE_BYTES) {
    if (ZERO.equals(memory.subarray(page, page + PAGE_BYTES))) continue;
    yield* partsOfPage(memory, page);
  }
}

function* partsOfPage(memory, page) {
  let from = -1;
  for (let at = page; at <= page + PAGE_BYTES; at += PART_BYTES) {
    const isZero = at === page + PAGE_BYTES || isZeroPart(memory, at);
    if (isZero && from >= 0) yield [from, at];
    if (isZero) from = -1;
    else if (from < 0) from = at;
  }
}

const isZeroPart = (memory, at) => ZERO.compare(memory, at, at + PART_BYTES, 0, PART_BYTES) === 0;
