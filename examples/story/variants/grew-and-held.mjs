// One large string makes the memory grow, and its pages stay when the string is gone.
import { long, size } from "../long.mjs";
import { createCString, instantiate } from "../strings.mjs";

const strings = await instantiate();
const before = size(strings);
createCString(strings, long.repeat(8), (pointer) => strings.count_as(pointer));
createCString(strings, "hello", (pointer) => strings.count_as(pointer));
console.log(size(strings) > before);
