// What the engine and Node offer, as it was before anything was patched: the recorder's own calls go
// here, so that they are not recorded and do not depend on what a program replaces later.

const { apply } = Reflect;

const method = (object, name) => {
  const original = object[name];
  return (self, ...values) => apply(original, self, values);
};

const getter = (object, name) => {
  const { get } = Object.getOwnPropertyDescriptor(object, name);
  return (self) => apply(get, self, []);
};

const { Instance, Memory, Module } = WebAssembly;
const TypedArray = Object.getPrototypeOf(Uint8Array);

export const customSections = Module.customSections;
export const moduleExports = Module.exports;
export const moduleImports = Module.imports;
export const validate = WebAssembly.validate;

/** Compiles the bytes as they are. */
export const compile = (bytes) => new Module(bytes);

export const isMemory = (value) => value instanceof Memory;
export const exportsOf = getter(Instance.prototype, "exports");

export const bufferOf = getter(Memory.prototype, "buffer");
export const grow = method(Memory.prototype, "grow");
export const lengthOf = getter(ArrayBuffer.prototype, "byteLength");
export const sharedLengthOf = getter(SharedArrayBuffer.prototype, "byteLength");

const typedArrayBuffer = getter(TypedArray.prototype, "buffer");
const dataViewBuffer = getter(DataView.prototype, "buffer");

/** The buffer behind a view, or the value itself. */
export function bufferBehind(value) {
  if (!ArrayBuffer.isView(value)) return value;
  return value instanceof DataView ? dataViewBuffer(value) : typedArrayBuffer(value);
}

/** The size of an unpatched buffer, of either kind, in bytes. */
export const sizeOf = (buffer) => (buffer instanceof ArrayBuffer ? lengthOf(buffer) : sharedLengthOf(buffer));

/** The bytes of a memory as they are now, without a copy. (`Buffer.from` would ask for the buffer's length.) */
export const bytesIn = (memory) => new Uint8Array(bufferOf(memory));

export const PAGE_BYTES = 65536;

/** How large a memory is now. */
export const pagesOf = (memory) => sizeOf(bufferOf(memory)) / PAGE_BYTES;
