// The same from a CommonJS module, with its own way to ask whether it is the main one.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const module_ = new WebAssembly.Module(readFileSync(join(__dirname, "../../../../../examples/strings.wasm")));
const { exports: guest } = new WebAssembly.Instance(module_);

function keep() {
  return guest.allocate(100);
}

guest.deallocate(keep());
keep();
console.log(require.main === module, __filename.endsWith("commonjs.cjs"), process.argv.length, typeof require, this === exports);
