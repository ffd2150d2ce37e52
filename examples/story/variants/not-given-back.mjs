// The module returns copies that the host must free, and the host forgets all except the first.
import { size } from "../long.mjs";
import { createCString, instantiate, readStaticCString, receiveCString } from "../strings.mjs";

const strings = await instantiate();
const before = size(strings);
createCString(strings, "hello", (pointer) => {
  receiveCString(strings, () => strings.string_duplicate(pointer));
  for (let time = 0; time < 3; time++) readStaticCString(strings, strings.string_duplicate(pointer));
});
console.log(size(strings) === before);
