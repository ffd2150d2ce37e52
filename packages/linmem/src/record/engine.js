// What the engine offers, as it was before anything was patched. The recorder's own calls go here, so
// that they are not recorded and do not depend on what a program replaces later.

const { apply } = Reflect;

const getter = (object, name) => {
  const { get } = Object.getOwnPropertyDescriptor(object, name);
  return (self) => apply(get, self, []);
};

const { Instance, Memory, Module } = WebAssembly;
const TypedArray = Object.getPrototypeOf(Uint8Array);

const { get } = WebAssembly.Table.prototype;

/** The element of a table. */
export const tableGet = (table, index) => apply(get, table, [index]);

export const customSections = Module.customSections;
export const validate = WebAssembly.validate;

/** Compiles the bytes as they are. */
export const compile = (bytes) => new Module(bytes);

/** Makes an instance of a compiled module. */
export const instantiate = (module, imports) => new Instance(module, imports);

export const exportsOf = getter(Instance.prototype, "exports");

const bufferOf = getter(Memory.prototype, "buffer");
const lengthOf = getter(ArrayBuffer.prototype, "byteLength");
const viewLengthOf = getter(TypedArray.prototype, "byteLength");
const typedArrayBuffer = getter(TypedArray.prototype, "buffer");
const dataViewBuffer = getter(DataView.prototype, "buffer");
const typedArrayName = getter(TypedArray.prototype, Symbol.toStringTag);

/** Whether a value is a memory, of any realm. */
export const isMemory = (value) => isOneOf(bufferOf, value);

/** Whether threads can share a memory. */
export const isShared = (memory) => !isOneOf(lengthOf, bufferOf(memory));

/** Whether a value is a compiled module, of any realm. */
export const isModule = (value) => isOneOf((module) => customSections(module, ""), value);

function isOneOf(ask, value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    ask(value);
    return true;
  } catch {
    return false;
  }
}

/** The buffer behind a view, or the value itself. */
export function bufferBehind(value) {
  if (!ArrayBuffer.isView(value)) return value;
  return typedArrayName(value) === undefined ? dataViewBuffer(value) : typedArrayBuffer(value);
}

/** Whether a growth has detached a memory's buffer. A shared buffer is never detached. */
export function isDetached(buffer) {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * A module's bytes, which come as a buffer or a view; undefined where the engine takes no such
 * value. Not every engine takes every kind of buffer: it is asked about the rare ones first.
 */
export function bytesOf(source) {
  try {
    if (!isOneOf(lengthOf, source) && typedArrayName(source) !== "Uint8Array") validate(source);
    const bytes = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
    // Other threads may write to shared ones at any time.
    return isOneOf(lengthOf, bytes.buffer) ? bytes : bytes.slice();
  } catch {
    return undefined;
  }
}

export const PAGE_BYTES = 65536;

/** The bytes of a memory as they are now, without a copy. */
export const bytesIn = (memory) => new Uint8Array(bufferOf(memory));

/** The number of pages that a memory has now. */
export const pagesOf = (memory) => viewLengthOf(bytesIn(memory)) / PAGE_BYTES;

/** The number of pages in a memory's buffer that is not detached. */
export const pagesIn = (buffer) => viewLengthOf(new Uint8Array(buffer)) / PAGE_BYTES;
