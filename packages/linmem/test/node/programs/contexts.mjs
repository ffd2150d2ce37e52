// Modules and instances of two realms.
import { readFileSync } from "node:fs";
import * as vm from "node:vm";

const bytes = readFileSync(new URL("../../../../../examples/strings.wasm", import.meta.url));
const module = new WebAssembly.Module(bytes);
const context = vm.createContext({ bytes, module });
const run = (code) => vm.runInContext(code, context);

new WebAssembly.Instance(module).exports.allocate(1);
console.log(run("own = new WebAssembly.Module(bytes); Object.keys(new WebAssembly.Instance(own).exports.allocate(2) && own)"));
console.log(run("const { exports } = new WebAssembly.Instance(module); exports.allocate(3); Object.keys(exports)"));
console.log(run("[WebAssembly.Module.imports(own), own instanceof WebAssembly.Module, module instanceof WebAssembly.Module, exports.memory.buffer.byteLength, exports.memory.buffer instanceof ArrayBuffer]"));
console.log(new WebAssembly.Instance(run("own")).exports.memory.buffer.byteLength);
console.log(run("try { new WebAssembly.Instance(own, 1) } catch (error) { [error.message, error instanceof TypeError] }"));
console.log(vm.isContext(context), vm.createContext(context) === context, run("WebAssembly.Instance.name"));
const lent = vm.createContext({ WebAssembly, bytes });
console.log(vm.runInContext("new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.allocate(4) > 0", lent));
