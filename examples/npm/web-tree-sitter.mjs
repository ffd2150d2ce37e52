// A parser in C, compiled by Emscripten with its names, and a grammar that is linked to it at run time
// and shares its memory. The tree is given back, the parser is not.
import { createRequire } from "node:module";
import { Language, Parser } from "web-tree-sitter";

const grammar = createRequire(import.meta.url).resolve("tree-sitter-wasms/out/tree-sitter-javascript.wasm");
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(grammar));
const tree = parser.parse("let x = 1; function f(a) { return a + x; }");
console.log(tree.rootNode.toString());
tree.delete();
