// An interpreter of Lua in C, by Emscripten with minified names. Its engines have to be closed; "leak" forgets them.
import { LuaFactory } from "wasmoon";

const factory = new LuaFactory();
let sum = 0;
for (let time = 0; time < 12; time++) {
  const lua = await factory.createEngine();
  sum += await lua.doString("local t = {} for i = 1, 100 do t[i] = i end return #t");
  if (process.argv[2] !== "leak") lua.global.close();
}
console.log(sum);
