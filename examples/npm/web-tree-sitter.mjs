// A parser in C, compiled by Emscripten with its names, and a grammar that is linked to it at run time
// and shares its memory. Its trees have to be deleted; "leak" forgets them.
import { createRequire } from "node:module";
import { Language, Parser } from "web-tree-sitter";

const grammar = createRequire(import.meta.url).resolve("tree-sitter-wasms/out/tree-sitter-javascript.wasm");
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(grammar));
let nodes = 0;
for (let time = 0; time < 25; time++) {
  const tree = parser.parse(`let x${time} = 1; function f(a) { return a + x; }`);
  nodes += tree.rootNode.descendantCount;
  if (process.argv[2] !== "leak") tree.delete();
}
parser.delete();
console.log(nodes);
