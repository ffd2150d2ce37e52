// A parser of JavaScript in Rust, by napi-rs for WASI with threads. A result is freed when it is collected as garbage;
// "leak" keeps all of them.
process.removeAllListeners("warning"); // Node's of WASI names the process.
const { parseSync } = await import("@oxc-parser/binding-wasm32-wasi");

const kept = [];
let statements = 0;
for (let time = 0; time < 30; time++) {
  const result = parseSync("a.js", `let x = ${"1 + ".repeat(200)}${time};`);
  statements += JSON.parse(result.program).node.body.length;
  if (process.argv[2] === "leak") kept.push(result);
}
console.log(statements);
