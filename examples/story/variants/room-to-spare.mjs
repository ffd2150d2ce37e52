// The string fits into the room that the memory has from the start.
import { size } from "../long.mjs";
import { createCString, instantiate } from "../strings.mjs";

const strings = await instantiate();
const before = size(strings);
const text = "a".repeat(50_000);
createCString(strings, text, (pointer) => strings.count_as(pointer));
console.log(size(strings) === before);
