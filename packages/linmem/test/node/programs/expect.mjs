// Expectations, under the recorder: prints what became of each case, as a line of JSON.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as vm from "node:vm";
import { expectNoLeak, expectSteadyMemory } from "linmem/test";

const compiled = (url) => new WebAssembly.Module(readFileSync(url));
const libc = compiled(new URL("../../guests/libc.wasm", import.meta.url));
const other = compiled(new URL("../../../../../examples/strings.wasm", import.meta.url));
const make = (module = libc) => new WebAssembly.Instance(module);
const passes = ({ malloc, free }) => free(malloc(100));

function leak({ malloc }) {
  return malloc(100);
}

const own = new Error("own");

const cases = {
  steady: () => expectSteadyMemory(make(), passes),
  // None of these looks at the argument.
  instance: (instance = make()) => expectNoLeak(instance, () => passes(instance.exports)),
  exports: ({ exports } = make()) => expectNoLeak(exports, () => passes(exports)),
  spread: ({ exports } = make()) => expectNoLeak({ ...exports }, () => passes(exports)),
  memory: ({ exports } = make()) => expectNoLeak(exports.memory, () => passes(exports)),
  leaks: () => expectNoLeak(make(), (exports) => leak(exports)),
  leaksInside({ exports } = make(other)) {
    const text = exports.allocate(8);
    new Uint8Array(exports.memory.buffer).set([97, 0], text);
    return expectNoLeak(exports, () => exports.string_duplicate(text));
  },
  leaksWithUnderscores: () => expectNoLeak(make(compiled(`${process.env.GUESTS}/underscores.wasm`)), ({ make, align, place }) => { make(8); align(); place(); }),
  // The module's own number for the stack is one for both.
  leaksOneOfTwo: () => expectNoLeak(make(), function body({ malloc, free }) {
    const first = () => malloc(10);
    const second = () => malloc(20);
    free(first());
    second();
  }),
  grows: () => expectSteadyMemory(make(), leak),
  growsByPages: () => expectSteadyMemory(make(), ({ grow }) => grow(1)),
  manyLeaks: () => expectNoLeak(make(), ({ malloc }) => { for (let i = 0; i < 5000; i++) malloc(8); }),
  idle: () => expectSteadyMemory(make(), () => {}),
  elsewhere: () => expectSteadyMemory(make(), async () => { const { exports } = make(); passes(exports); passes(exports); }),
  elsewhereInOthers: () => expectSteadyMemory(make(), () => { const { allocate, deallocate } = make(other).exports; deallocate(allocate(8)); }, { warmup: 0, times: 4 }),
  elsewhereLater: () => expectNoLeak(make(), () => void sleep(1).then(() => passes(make().exports))),
  notAwaited: () => expectSteadyMemory(make(), (exports) => void sleep(1).then(() => passes(exports))),
  freedLater: () => expectNoLeak(make(), ({ malloc, free }) => void ((block) => sleep(1).then(() => free(block)))(malloc(8)), { warmup: 0 }),
  async: () => expectNoLeak(make(), async (exports) => { const block = exports.malloc(8); await sleep(1); exports.free(block); }),
  asyncLeak: () => expectNoLeak(make(), async function leaksLater({ malloc }) { await sleep(1); malloc(8); }),
  throws: () => expectNoLeak(make(), () => { throw own; }).catch((error) => error === own),
  traps: () => expectNoLeak(make(), ({ malloc, trap }) => trap(malloc(8))).catch((error) => [error instanceof WebAssembly.RuntimeError, error.message]),
  onlyFrees({ exports } = make()) {
    const blocks = [1, 2].map(() => exports.malloc(8));
    return expectNoLeak(exports, () => exports.free(blocks.pop()));
  },
  onlyFails: () => expectNoLeak(make(), ({ malloc }) => malloc(2 ** 31)),
  realloc: () => expectNoLeak(make(), ({ malloc, realloc, free }) => free(realloc(malloc(8), 1000))),
  reallocLeaks: () => expectNoLeak(make(), ({ malloc, realloc }) => realloc(malloc(8), 1000)),
  reallocOfNull: () => expectNoLeak(make(), ({ realloc }) => realloc(0, 30)),
  olderBlocks: () => queue(10, {}),
  olderBlocksGone: () => queue(10, { warmup: 10 }),
  warmsUpOnly: (block = 0) => expectSteadyMemory(make(), ({ malloc }) => (block ||= malloc(16384))),
  tooFew: () => expectSteadyMemory(make(), leak, { times: 3 }),
  parallel: () => Promise.all([1, 2, 3, 4].map(() => expectSteadyMemory(make(), async ({ malloc, free }) => { const block = malloc(8); await sleep(1); free(block); }))),
  async parallelLeak() {
    const slowly = async ({ malloc }) => { malloc(8); await sleep(1); };
    const fine = async ({ malloc, free }) => { const block = malloc(64); await sleep(1); free(block); };
    const results = await Promise.allSettled([expectNoLeak(make(), slowly), expectNoLeak(make(), fine)]);
    return results.map(({ reason, value }) => reason?.leakedBytes ?? value.allocations);
  },
  async twice(instance = make()) {
    const slow = async ({ malloc, free }) => { const block = malloc(8); await sleep(1); free(block); };
    const results = await Promise.allSettled([expectNoLeak(instance, slow), expectNoLeak(instance.exports.memory, slow)]);
    return results.map(({ reason, status }) => reason?.code ?? status);
  },
  within: (instance = make()) => expectNoLeak(instance, () => expectNoLeak(instance, passes)),
  // Both use one memory: blocks of either count for the memory, and only its own for an instance.
  async shared() {
    const module = compiled(`${process.env.GUESTS}/imports.wasm`);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 8 });
    const imports = { host: { memory, limit: new WebAssembly.Global({ value: "i32" }, 0) } };
    const [first, second] = [1, 2].map(() => new WebAssembly.Instance(module, imports));
    const body = () => second.exports.malloc(16);
    const results = await Promise.allSettled([expectNoLeak(memory, body)]);
    results.push(...(await Promise.allSettled([expectNoLeak(first, body)])));
    return results.map(({ reason }) => reason?.message);
  },
  context() {
    const context = vm.createContext({ libc, expectNoLeak });
    return vm.runInContext("expectNoLeak(new WebAssembly.Instance(libc), ({ malloc, free }) => free(malloc(1)))", context);
  },
  contextOffers: async () => vm.runInContext("WebAssembly[Symbol.for('linmem.watch')].version", vm.createContext({})),
  rests: async () => process[Symbol.for("linmem.node")].observations.isRunning,
  // The only size that is read here where the recorder sees it.
  unwatched: () => expectNoLeak({ memory: new WebAssembly.Memory({ initial: 1 }) }, () => {}),
};

// A block that is allocated comes to the end, and the first is freed.
function queue(length, options) {
  const { exports } = make();
  const blocks = Array.from({ length }, () => exports.malloc(24));
  return expectSteadyMemory(exports, () => { blocks.push(exports.malloc(24)); exports.free(blocks.shift()); }, options);
}

for (const [name, run] of Object.entries(cases)) {
  const shown = await run().then((value) => ({ value }), (error) => ({ message: error.message, ...error }));
  console.log(JSON.stringify([name, shown]));
}
