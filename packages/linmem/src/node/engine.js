// What the engine and Node offer, as it was before anything was patched: the recorder's own calls go
// here, so that they are not recorded and do not depend on what a program replaces later.

import { types } from "node:util";

const { apply } = Reflect;

const getter = (object, name) => {
  const { get } = Object.getOwnPropertyDescriptor(object, name);
  return (self) => apply(get, self, []);
};

const { Instance, Memory, Module } = WebAssembly;
const TypedArray = Object.getPrototypeOf(Uint8Array);

export const customSections = Module.customSections;
export const validate = WebAssembly.validate;

/** Compiles the bytes as they are. */
export const compile = (bytes) => new Module(bytes);

export const exportsOf = getter(Instance.prototype, "exports");

/** Whether a value is a memory, of any realm. */
export const isMemory = (value) => isOneOf(bufferOf, value);

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

const bufferOf = getter(Memory.prototype, "buffer");
const lengthOf = getter(ArrayBuffer.prototype, "byteLength");
const sharedLengthOf = getter(SharedArrayBuffer.prototype, "byteLength");

const typedArrayBuffer = getter(TypedArray.prototype, "buffer");
const dataViewBuffer = getter(DataView.prototype, "buffer");

/** The buffer behind a view, or the value itself. */
export function bufferBehind(value) {
  if (!ArrayBuffer.isView(value)) return value;
  return types.isDataView(value) ? dataViewBuffer(value) : typedArrayBuffer(value);
}

/** The size of a buffer, of either kind, in bytes. */
export const sizeOf = (buffer) => (types.isSharedArrayBuffer(buffer) ? sharedLengthOf(buffer) : lengthOf(buffer));

/** The bytes of a memory as they are now, without a copy. (`Buffer.from` would ask for the buffer's length.) */
export const bytesIn = (memory) => new Uint8Array(bufferOf(memory));

export const PAGE_BYTES = 65536;

/** How large a memory is now. */
export const pagesOf = (memory) => sizeOf(bufferOf(memory)) / PAGE_BYTES;
