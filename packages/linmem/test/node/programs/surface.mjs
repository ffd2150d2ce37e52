// Pokes at `WebAssembly` in the documented ways, and prints what it sees.
import { readFileSync } from "node:fs";

const guest = (name) => readFileSync(`${process.env.GUESTS}/${name}.wasm`);
const strings = readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url));
const [starts, imports, plain] = ["starts", "imports", "plain"].map(guest);
const bad = new Uint8Array([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]);

const host = () => ({ memory: new WebAssembly.Memory({ initial: 1, maximum: 8 }), limit: 3, report: (value) => console.log("reported", value) });
const own = (stack) => stack.split("\n").filter((line) => !/node:|\(<anonymous>\)/.test(line)).map((line) => line.replace(/wasm-function\[\d+\]:0x[\da-f]+|-[\da-f]{8}/g, ""));

async function attempt(title, run) {
  try {
    console.log(title, await run());
  } catch (error) {
    console.log(title, "threw", error.name, error.message, error.constructor === globalThis[error.name] || error.constructor === WebAssembly[error.name]);
    if (error.name !== "RuntimeError") console.log(own(error.stack).length);
  }
}

const shape = (exports) => [Object.keys(exports), Object.isFrozen(exports), Object.getPrototypeOf(exports), Object.getOwnPropertyDescriptors(exports)];
const describe = (object) => Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, { value, get, ...rest }]) => [name, typeof value, value?.name, value?.length, get?.name, get?.length, rest]);

for (const object of [WebAssembly, WebAssembly.Module, WebAssembly.Instance, WebAssembly.Memory]) console.log(describe(object));
for (const { prototype } of [WebAssembly.Module, WebAssembly.Instance, WebAssembly.Memory]) console.log(describe(prototype), prototype.constructor.prototype === prototype);
console.log(describe(ArrayBuffer.prototype), describe(SharedArrayBuffer.prototype), TextDecoder.prototype.decode.length, Buffer.from.name);
console.log(String(WebAssembly), Object.prototype.toString.call(WebAssembly.Module.prototype));

for (const source of [strings, starts, imports, plain]) {
  const module = new WebAssembly.Module(source);
  console.log(module, module instanceof WebAssembly.Module, Object.getPrototypeOf(module) === WebAssembly.Module.prototype, module.constructor === WebAssembly.Module);
  console.log(WebAssembly.Module.exports(module), WebAssembly.Module.imports(module), WebAssembly.validate(source));
  for (const name of ["name", ".debug_info", "producers", "linmem.origin", "none"]) console.log(WebAssembly.Module.customSections(module, name).map((section) => [section.byteLength, Buffer.from(section).toString("base64").slice(0, 60)]));
  await attempt("instance", () => {
    const instance = new WebAssembly.Instance(module, { host: host() });
    console.log(instance, instance instanceof WebAssembly.Instance, instance.constructor === WebAssembly.Instance, Object.keys(instance), instance.exports === instance.exports);
    return shape(instance.exports);
  });
}

const module = new WebAssembly.Module(imports);
const noMemory = { get memory() { console.log("memory asked for"); return undefined; }, get limit() { console.log("limit asked for"); return 1; } };
const CASES = {
  "no new": () => WebAssembly.Module(strings),
  "no new instance": () => WebAssembly.Instance(module),
  "no source": () => new WebAssembly.Module(),
  "bad bytes": () => new WebAssembly.Module(bad),
  "empty bytes": () => new WebAssembly.Module(new ArrayBuffer(0)),
  "bytes of a string": () => new WebAssembly.Module("wasm"),
  "cut bytes": () => new WebAssembly.Module(strings.subarray(0, 1000)),
  "an instance of nothing": () => new WebAssembly.Instance({}),
  "no imports": () => new WebAssembly.Instance(module),
  "imports of a number": () => new WebAssembly.Instance(module, 3),
  "imports of null": () => new WebAssembly.Instance(module, null),
  "no such import module": () => new WebAssembly.Instance(module, {}),
  "no such import": () => new WebAssembly.Instance(module, { host: {} }),
  "wrong import": () => new WebAssembly.Instance(module, { host: { memory: 1 } }),
  "import getters": () => new WebAssembly.Instance(module, { host: noMemory }),
  "getter throws": () => new WebAssembly.Instance(module, { get host() { throw new Error("mine"); } }),
  "memory too small": () => new WebAssembly.Instance(module, { host: { memory: new WebAssembly.Memory({ initial: 0, maximum: 8 }), limit: 1 } }),
  "memory without maximum": () => new WebAssembly.Instance(module, { host: { memory: new WebAssembly.Memory({ initial: 1 }), limit: 1 } }),
  "frozen imports": () => Object.keys(new WebAssembly.Instance(module, Object.freeze({ host: Object.freeze(host()) }))),
  "surplus imports": () => Object.keys(new WebAssembly.Instance(new WebAssembly.Module(strings), { surplus: { memory: 1 } }).exports),
  "compile nothing": () => WebAssembly.compile(),
  "compile bad": () => WebAssembly.compile(bad),
  "compile cut": () => WebAssembly.compile(strings.subarray(0, 1000)),
  compile: () => WebAssembly.compile(strings),
  "compile a view": () => WebAssembly.compile(new DataView(strings.buffer, strings.byteOffset, strings.byteLength)),
  "compile shared": () => WebAssembly.compile(new Uint8Array(new SharedArrayBuffer(8)).fill(1)),
  "instantiate nothing": () => WebAssembly.instantiate(),
  "instantiate bad": () => WebAssembly.instantiate(bad, {}),
  "instantiate bytes": async () => { const made = await WebAssembly.instantiate(strings); return [Object.keys(made), made, Object.getPrototypeOf(made) === Object.prototype]; },
  "instantiate a module": async () => { const made = await WebAssembly.instantiate(module, { host: host() }); return [made instanceof WebAssembly.Instance, Object.keys(made.exports)]; },
  "instantiate without imports": () => WebAssembly.instantiate(imports),
  "instantiate with a number": () => WebAssembly.instantiate(imports, 5),
  "instantiate with too little": () => WebAssembly.instantiate(imports, { host: { limit: 1 } }),
  "instantiate with nothing for the module": () => WebAssembly.instantiate(module, {}),
  "is a promise": () => [WebAssembly.compile(strings), WebAssembly.instantiate(strings)].map((promise) => promise.constructor === Promise),
  "exports of nothing": () => WebAssembly.Module.exports({}),
  "imports of nothing": () => WebAssembly.Module.imports(),
  "sections without a name": () => WebAssembly.Module.customSections(module),
  "sections of nothing": () => WebAssembly.Module.customSections(undefined, "name"),
  "sections by what becomes a text": () => ["name", ["name"], { toString: () => "name" }].map((name) => WebAssembly.Module.customSections(module, name).length),
  "sections of undefined": () => WebAssembly.Module.customSections(module, undefined),
  "sections by a symbol": () => WebAssembly.Module.customSections(module, Symbol("name")),
  "exports getter elsewhere": () => Object.getOwnPropertyDescriptor(WebAssembly.Instance.prototype, "exports").get.call({}),
  "validate nothing": () => WebAssembly.validate(),
  "validate bad": () => WebAssembly.validate(bad),
  trap: () => new WebAssembly.Instance(module, { host: host() }).exports.trap(),
};
for (const [title, run] of Object.entries(CASES)) await attempt(title, run);

class Named extends WebAssembly.Module {
  get title() { return "named"; }
}
class Started extends WebAssembly.Instance {}
const named = new Named(strings);
const started = new Started(named);
console.log(named.title, named instanceof Named, named instanceof WebAssembly.Module, started instanceof Started, Object.keys(started.exports), started);
console.log(Reflect.construct(WebAssembly.Module, [plain], Array) instanceof Array);

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(strings));
for (const [name, value] of Object.entries(exports)) console.log(name, value.name, value.length, typeof value);
const again = new WebAssembly.Instance(module, { host: { ...host(), limit: 2 } });
console.log(typeof again.exports.table.get(0), again.exports.table.length, exports.allocate(5.9), exports.allocate("7"));
const { memory } = host();
console.log(new WebAssembly.Instance(module, { host: { memory, limit: 1 } }).exports.malloc(200000), memory.buffer.byteLength);

const clone = structuredClone(new WebAssembly.Module(strings));
console.log(clone instanceof WebAssembly.Module, WebAssembly.Module.exports(clone).length, Object.keys(new WebAssembly.Instance(clone).exports));

const bytes = new Uint8Array(strings);
const early = WebAssembly.compile(bytes);
bytes.fill(0);
console.log(WebAssembly.Module.exports(await early).length);

const response = (body, type = "application/wasm", status = 200) => new Response(body, { headers: { "content-type": type }, status });
const STREAMS = {
  streamed: async () => Object.keys((await WebAssembly.instantiateStreaming(response(strings))).instance.exports),
  "streamed later": async () => (await WebAssembly.compileStreaming(Promise.resolve(response(strings)))) instanceof WebAssembly.Module,
  "streamed type": () => WebAssembly.compileStreaming(response(strings, "text/html")),
  "streamed status": () => WebAssembly.compileStreaming(response(strings, undefined, 404)),
  "streamed bad": () => WebAssembly.compileStreaming(response(bad)),
  "streamed number": () => WebAssembly.compileStreaming(5),
  "streamed nothing": () => WebAssembly.instantiateStreaming(),
  "streamed too little": () => WebAssembly.instantiateStreaming(response(imports), { host: {} }),
  "streamed without imports": () => WebAssembly.instantiateStreaming(response(imports)),
  "streamed with plain": async () => (await WebAssembly.instantiateStreaming(response(plain))).instance.exports.add(1, 2),
  "streamed rejection": () => WebAssembly.compileStreaming(Promise.reject(new Error("mine"))),
  "streamed twice": async () => { const one = response(strings); await one.arrayBuffer(); return WebAssembly.compileStreaming(one); },
};
for (const [title, run] of Object.entries(STREAMS)) await attempt(title, run);
console.log(Object.keys(process.listeners("exit")), Object.hasOwn(globalThis, "linmem"), process.exitCode);
