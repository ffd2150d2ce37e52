// Reads sizes, grows, and keeps views for too long.
const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
const { buffer } = memory;
const view = new Uint8Array(buffer);

function look(label) {
  console.log(label, memory.buffer === memory.buffer, memory.buffer.byteLength, memory.grow(0));
}

async function attempt(label, run) {
  try {
    console.log(label, await run());
  } catch (error) {
    console.log(label, error.name, error.message);
  }
}

look("before");
console.log(memory.grow(2));
look("after");
console.log(buffer.byteLength, view.length, view[0], buffer === memory.buffer);
await attempt("decode", () => JSON.stringify(new TextDecoder().decode(view)));
await attempt("encode", () => new TextEncoder().encodeInto("text", view));
await attempt("buffer", () => Buffer.from(buffer).length);
await attempt("view of detached", () => new Uint8Array(buffer).length);
for (const pages of [5, -1, 1.5, "1", undefined, {}, 2 ** 32]) await attempt(`grow ${String(pages)}`, () => memory.grow(pages));
await attempt("buffer of another", () => Object.getOwnPropertyDescriptor(WebAssembly.Memory.prototype, "buffer").get.call({}));
await attempt("grow of another", () => WebAssembly.Memory.prototype.grow.call({}, 1));
await attempt("length of another", () => Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get.call({}));
await attempt("length of a shared one", () => Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get.call(new SharedArrayBuffer(1)));

const shared = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
const old = shared.buffer;
shared.grow(1);
console.log(old.byteLength, shared.buffer.byteLength, Object.isFrozen(shared.buffer), shared.buffer instanceof SharedArrayBuffer);
console.log(memory, shared);
for (const bytes of [new ArrayBuffer(5), new ArrayBuffer(5, { maxByteLength: 9 }), new SharedArrayBuffer(6)]) console.log(bytes.byteLength);
console.log(new TextDecoder().decode(new Uint8Array([104, 105])), Buffer.from("a") + Buffer.from([98]) + Buffer.from(new ArrayBuffer(1)));
await attempt("decode of a number", () => new TextDecoder().decode(5));
await attempt("from nothing", () => Buffer.from());
