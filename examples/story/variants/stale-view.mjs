// The program uses a buffer from before a growth: it is detached, so writes through its view are lost.
import { long } from "../long.mjs";
import { instantiate } from "../strings.mjs";

const strings = await instantiate();
const { buffer } = strings.memory;
const view = new Uint8Array(buffer);
const pointer = strings.allocate(long.length + 1);
new TextEncoder().encodeInto(long, view);
console.log(buffer.byteLength, view[pointer]);
strings.deallocate(pointer);
