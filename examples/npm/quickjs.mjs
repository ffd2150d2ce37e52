// An interpreter of JavaScript in C, by Emscripten and with minified names. Its contexts and values have to be disposed of;
// "leak" does not.
import { getQuickJS } from "quickjs-emscripten";

const runtime = (await getQuickJS()).newRuntime();
const leaks = process.argv[2] === "leak";
let length = 0;
for (let time = 0; time < 30; time++) {
  const context = runtime.newContext();
  const result = context.unwrapResult(context.evalCode("[1, 2, 3].map((x) => x * 2).join()"));
  length += context.getString(result).length;
  if (!leaks) result.dispose();
  if (!leaks) context.dispose();
}
if (!leaks) runtime.dispose();
console.log(length);
