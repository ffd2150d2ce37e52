// A shell parser in Go, compiled by TinyGo. "leak" calls it for each text; each call makes an instance with a memory.
import { print } from "sh-syntax";

const texts = ["if true; then\necho   1\nfi", "a   &&   b", "x=$(  date  )", "f()  { :; }", "for i in 1   2; do :; done"];
const inputs = process.argv[2] === "leak" ? texts : [texts.join("\n")];
for (const text of inputs) console.log((await print(text)).trim());
