// Go, which collects its garbage in a heap of its own, in a child process. Contexts have to be disposed of; "leak" does
// not.
import { context, stop } from "esbuild-wasm";

let bytes = 0;
for (let time = 0; time < 8; time++) {
  const contents = `export let x${time}: number[] = [${"1 + 2, ".repeat(5000)}];`;
  const build = await context({ stdin: { contents, loader: "ts" }, write: false, logLevel: "silent" });
  const { outputFiles } = await build.rebuild();
  bytes += outputFiles[0].contents.length;
  if (process.argv[2] !== "leak") await build.dispose();
}
console.log(bytes);
await stop();
