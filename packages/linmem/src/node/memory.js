// The host's side: sizes that the program reads, growths from outside, and the use of views that a
// growth has detached.
//
// Nothing tells of a look at a typed array itself (`view[i]`, `view.length`, `view.byteLength`, all
// `undefined` or 0 when it is detached): these are no function calls, or too frequent to be watched.

import * as engine from "./engine.js";
import { patchCall, patchGetter } from "./patch.js";
import { hostContext } from "./stacks.js";
import * as trace from "./trace.js";

const { PAGE_BYTES } = engine;

const numbers = new WeakMap();
let count = 0;
let inNode = false;

// Where a buffer came from: { memory: its number, pages: when it was handed out }.
const origins = new WeakMap();

/** The number of a memory in the trace. */
export function numberOf(memory) {
  if (!numbers.has(memory)) numbers.set(memory, count++);
  return numbers.get(memory);
}

const remember = (memory, buffer) => origins.set(buffer, { memory: numberOf(memory), pages: engine.sizeOf(buffer) / PAGE_BYTES });

/** Patches what programs ask memories with, in one realm. */
export function watchMemories({ ArrayBuffer, SharedArrayBuffer, WebAssembly }) {
  patchGetter(WebAssembly.Memory.prototype, "buffer", buffer);
  patchCall(WebAssembly.Memory.prototype, "grow", grow);
  patchGetter(ArrayBuffer.prototype, "byteLength", byteLength);
  if (SharedArrayBuffer) patchGetter(SharedArrayBuffer.prototype, "byteLength", byteLength);
}

/** Patches what may be given a view, which are one for all realms. */
export function watchViews() {
  patchViewUser(TextDecoder.prototype, "decode", 0);
  patchViewUser(TextEncoder.prototype, "encodeInto", 1);
  patchCall(Buffer, "from", bufferFrom);
}

function buffer(get, memory) {
  const buffer = Reflect.apply(get, memory, []);
  if (!origins.has(buffer)) remember(memory, buffer);
  return buffer;
}

function byteLength(get, buffer) {
  const bytes = Reflect.apply(get, buffer, []);
  const origin = origins.get(buffer);
  if (origin !== undefined) lengthRead(origin, bytes);
  return bytes;
}

// A detached buffer has no length left.
const isStale = ({ pages }, bytes) => bytes === 0 && pages > 0;

function lengthRead(origin, bytes) {
  if (inNode) return;
  if (isStale(origin, bytes)) trace.staleView(origin.memory, origin.pages, hostContext());
  else trace.sizeRead(origin.memory, trace.BY_LENGTH, bytes / PAGE_BYTES, hostContext());
}

function grow(target, memory, values) {
  try {
    const answer = Reflect.apply(target, memory, values);
    grown(memory, Number(answer));
    return answer;
  } catch (error) {
    if (error?.name === "RangeError" && engine.isMemory(memory)) refused(memory, values[0]);
    throw error;
  }
}

function grown(memory, previous) {
  const delta = engine.pagesOf(memory) - previous;
  const number = numberOf(memory);
  if (delta === 0) trace.sizeRead(number, trace.BY_GROWING, previous, hostContext());
  else trace.hostGrown(number, delta, previous, hostContext());
}

function refused(memory, delta) {
  const pages = typeof delta === "bigint" ? Number(delta) : delta;
  if (Number.isSafeInteger(pages) && pages > 0) trace.hostGrown(numberOf(memory), pages, null, hostContext());
}

function patchViewUser(object, name, index) {
  patchCall(object, name, (target, self, values) => {
    noteStale(values[index]);
    return Reflect.apply(target, self, values);
  });
}

// Node asks for the buffer's length itself here, which says nothing about the program.
function bufferFrom(target, self, values) {
  noteStale(values[0]);
  inNode = true;
  try {
    return Reflect.apply(target, self, values);
  } finally {
    inNode = false;
  }
}

function noteStale(value) {
  if (typeof value !== "object" || value === null) return;
  const buffer = engine.bufferBehind(value);
  const origin = origins.get(buffer);
  if (origin !== undefined && isStale(origin, engine.sizeOf(buffer))) trace.staleView(origin.memory, origin.pages, hostContext());
}
