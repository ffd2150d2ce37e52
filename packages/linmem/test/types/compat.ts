import { createCString, readStaticCString, receiveCString } from "linmem/compat";

declare const instance: WebAssembly.Instance;
declare const module: { memory: WebAssembly.Memory; upper(pointer: number): number };

const now: number = createCString(instance, "text", (pointer) => pointer + 1);
const later: Promise<string> = createCString(module, "text", async (pointer) => readStaticCString(module, pointer));
const text: string = receiveCString(module, () => module.upper(1));
const promised: Promise<string> = receiveCString(module, async () => module.upper(1));
// @ts-expect-error a text must be a string
createCString(instance, 1, () => 0);
// @ts-expect-error an address is a number
readStaticCString(instance, "0");
// @ts-expect-error a callback must return a pointer
receiveCString(module, () => "text");

export { now, later, text, promised };
