// The records of this thread's trace, one function for each kind, and the file that they go to. The
// file is made when there is something to say: a module or a note.

import * as fs from "node:fs";
import { resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { isMainThread, threadId } from "node:worker_threads";
import { TraceWriter } from "./writer.js";

// A program may replace them.
const { mkdirSync, openSync, writeSync } = fs;
const { clearInterval, setInterval } = globalThis;
const now = performance.now.bind(performance);

// What a killed program may lose.
const FLUSH_MILLISECONDS = 200;

const began = now();
const directory = resolve(process.env.LINMEM_TRACE_DIR || ".");
const writer = new TraceWriter(append);
let file;
let timer;
let stopped = false;
let selected = -1;

// A process number can come twice, where several systems of processes share a directory.
function openNew() {
  mkdirSync(directory, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      return openSync(resolve(directory, fileName(attempt === 0 ? "" : `-again${attempt}`)), "wx");
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

function fileName(suffix) {
  if (process.env.LINMEM_TRACE_DIR) return `${process.pid}-${threadId}${suffix}.trace`;
  return `linmem-${process.pid}${isMainThread ? "" : `-${threadId}`}${suffix}.trace`;
}

function append(bytes) {
  if (stopped) return;
  try {
    file ??= openNew();
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } catch (error) {
    stopped = true;
    clearInterval(timer);
    complain(`cannot write the trace, and recording stops here: ${error.message}`);
  }
}

/** One line on stderr. */
export function complain(message) {
  try {
    writeSync(2, `linmem: ${message}\n`);
  } catch {
    // Nobody listens. The program goes on.
  }
}

// From now on there is something worth a file.
function keep() {
  if (timer !== undefined) return;
  timer = setInterval(tick, FLUSH_MILLISECONDS);
  timer.unref();
}

// Counts that are not in the trace yet.
const unwritten = new Set();

/** Has `counts.write()` called before the next flush, or when somebody wants to know. */
export const writeLater = (counts) => unwritten.add(counts);

/** Writes what was counted so far. */
export function writeCounts() {
  for (const counts of unwritten) counts.write();
  unwritten.clear();
}

function tick() {
  writeCounts();
  clock();
  writer.flush();
}

function begin(tag) {
  makeRoom();
  writer.tag(tag);
}

function makeRoom() {
  if (!writer.isFull) return;
  writer.flush();
  clock();
}

function frame({ host, index, offset }) {
  if (writer.isFull) writer.spill();
  if (host === undefined) {
    writer.number(index + 1);
    writer.number(offset === undefined ? 0 : offset + 1);
  } else {
    writer.number(0);
    writer.text(host);
  }
}

function clock() {
  writer.tag(0x05);
  writer.number(Math.round((now() - began) * 1000));
  writer.commit();
}

export function moduleRecord(name, bytes, allocator) {
  begin(0x01);
  writer.text(name);
  writer.bytes(bytes);
  writer.text(allocator);
  writer.commit();
  keep();
}

export function instance(number, module, initialPages, maxPages) {
  begin(0x02);
  writer.number(module);
  writer.number(initialPages);
  writer.optional(maxPages);
  writer.commit();
  selected = number;
  // A process that is killed a moment later still has its instance in the report.
  writer.flush();
}

/** Says which instance the records after it are about. */
export function select(number) {
  if (number === selected) return;
  begin(0x03);
  writer.number(number);
  writer.commit();
  selected = number;
}

export function context(frames) {
  begin(0x04);
  writer.number(frames.length);
  frames.forEach(frame);
  writer.commit();
}

export function lowMemory(first, last, changed) {
  begin(0x06);
  writer.number(first);
  writer.number(last);
  writer.number(changed);
  writer.commit();
}

export function called(index, times) {
  begin(0x07);
  writer.number(index);
  writer.number(times);
  writer.commit();
}

export function returned(index, pointer) {
  begin(0x08);
  writer.number(index);
  writer.pointer(pointer);
  writer.commit();
}

export function passed(pointer) {
  begin(0x0d);
  writer.pointer(pointer);
  writer.commit();
}

export function handedOut(pointer) {
  begin(0x0e);
  writer.pointer(pointer);
  writer.commit();
}

export function snapshot(pages, framesLive, globals) {
  begin(0x09);
  writer.number(pages);
  writer.number(framesLive);
  writer.number(globals.length);
  for (const [index, value] of globals) {
    if (writer.isFull) writer.spill();
    writer.number(index);
    writer.number(value);
  }
  writer.commit();
}

export function snapshotBytes(address, contents) {
  begin(0x0a);
  writer.number(address);
  writer.bytes(contents);
  writer.commit();
}

export function allocated(context, pointer, size, alignment) {
  makeRoom();
  if (alignment === 0 && writer.event(0x10, context, pointer, size)) return;
  begin(alignment === 0 ? 0x10 : 0x11);
  writer.number(context);
  writer.pointer(pointer);
  writer.number(size);
  if (alignment !== 0) writer.number(alignment);
  writer.commit();
}

export function freed(context, pointer) {
  makeRoom();
  if (writer.event(0x12, context, pointer)) return;
  begin(0x12);
  writer.number(context);
  writer.pointer(pointer);
  writer.commit();
}

export function freedSized(context, pointer, size, alignment) {
  begin(0x13);
  writer.number(context);
  writer.pointer(pointer);
  writer.number(size);
  writer.number(alignment);
  writer.commit();
}

export function reallocating(context, pointer, newSize) {
  makeRoom();
  if (writer.event(0x14, context, pointer, newSize)) return;
  begin(0x14);
  writer.number(context);
  writer.pointer(pointer);
  writer.number(newSize);
  writer.commit();
}

export function reallocatingSized(context, pointer, oldSize, alignment, newSize) {
  begin(0x15);
  writer.number(context);
  writer.pointer(pointer);
  writer.number(oldSize);
  writer.number(alignment);
  writer.number(newSize);
  writer.commit();
}

export function reallocated(pointer) {
  begin(0x16);
  writer.pointer(pointer);
  writer.commit();
}

export function grown(context, inAllocator, deltaPages, previousPages) {
  begin(0x17);
  writer.number(context);
  writer.number(inAllocator);
  writer.number(deltaPages);
  writer.number(previousPages);
  writer.commit();
}

export function growFailed(context, inAllocator, deltaPages) {
  begin(0x18);
  writer.number(context);
  writer.number(inAllocator);
  writer.number(deltaPages);
  writer.commit();
}

export function usesMemory(memory) {
  begin(0x20);
  writer.number(memory);
  writer.commit();
}

export function created(context) {
  begin(0x21);
  writer.number(context);
  writer.commit();
}

export function collected() {
  begin(0x22);
  writer.commit();
}

export const BY_LENGTH = 0;
export const BY_GROWING = 1;
export const BY_INSTRUCTION = 2;

export function sizeRead(memory, by, pages, context) {
  writeCounts();
  begin(0x23);
  writer.number(memory);
  writer.number(by);
  writer.number(pages);
  writer.number(context);
  writer.commit();
}

export function hostGrown(memory, deltaPages, previousPages, context) {
  begin(0x24);
  writer.number(memory);
  writer.number(deltaPages);
  writer.optional(previousPages);
  writer.number(context);
  writer.commit();
}

export function staleView(memory, pages, context) {
  begin(0x25);
  writer.number(memory);
  writer.number(pages);
  writer.number(context);
  writer.commit();
}

export function tookFunction() {
  begin(0x27);
  writer.commit();
}

export function note(words) {
  begin(0x26);
  writer.text(words);
  writer.commit();
  keep();
}

/** The last record, and all there is goes to the file. */
export function exit(code) {
  writeCounts();
  begin(0x0b);
  writer.signed(code);
  writer.commit();
  clock();
  clearInterval(timer);
  flush();
}

/** What there is goes to the file, if it is worth one. */
export function flush() {
  if (timer !== undefined) writer.flush();
}

/** Whether anything goes to a file. */
export const isKept = () => timer !== undefined && !stopped;
