// Go, which collects its garbage in a heap of its own, in a child process.
import { stop, transform } from "esbuild-wasm";

const { code } = await transform("let x: number = 1 + 2", { loader: "ts" });
console.log(code.trim());
await stop();
