import { expectNoLeak, expectSteadyMemory, MemoryExpectationError, type Seen } from "linmem/test";

interface Exports {
  memory: WebAssembly.Memory;
  malloc(size: number): number;
}

declare const exports: Exports;
declare const instance: WebAssembly.Instance;
declare const named: { exports: Exports };
declare const error: MemoryExpectationError;

const seen: Promise<Seen> = expectSteadyMemory(instance, async () => {}, { warmup: 1, times: 16 });
expectNoLeak(instance, ({ malloc }) => malloc(1), { warmup: 0 });
expectNoLeak(exports, ({ malloc }) => malloc(1));
expectNoLeak(named, ({ malloc }) => malloc(1));
expectNoLeak(exports.memory, () => exports.malloc(1));
// @ts-expect-error it is not exported
expectNoLeak(exports, ({ free }) => free(1));
// @ts-expect-error a number is not an instance
expectNoLeak(1, () => {});
// @ts-expect-error there is no such option
expectNoLeak(instance, () => {}, { times: 2 });
// @ts-expect-error a body is needed
expectSteadyMemory(instance);
// @ts-expect-error there is no such code
const code: "other" = error.code;
const stack: string[] | undefined = error.left?.[0]?.stack;

export { code, seen, stack };
