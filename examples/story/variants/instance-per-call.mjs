// A new instance for every call: nothing leaks, and each instance has a memory of its own.
import { size } from "../long.mjs";
import { createCString, instantiate } from "../strings.mjs";

let last;
for (let time = 0; time < 8; time++) {
  last = await instantiate();
  createCString(last, "hello", (pointer) => last.count_as(pointer));
}
console.log(size(last));
