// Expectations for ordinary tests: memory comes to rest, nothing is left behind. Under a recorder
// (linmem/node) every allocation counts; without one, only pages, and calls of the allocator through the
// exports that the body is given.
//
//   body → observe (recorder, or exported) → verdict → explain → error

import { MemoryExpectationError, invalid } from "./test/expectation-error.js";
import { explainLeak, explainNothing, explainRepeats, explainUnseen } from "./test/explain.js";
import { begin, end } from "./test/observe.js";
import { Repeats } from "./test/verdict.js";

export { MemoryExpectationError };

/** Fails when pages or live bytes keep growing while the body is called again and again. */
export async function expectSteadyMemory(subject, body, options) {
  const settings = settingsOf(body, options, { warmup: 1, times: 16 });
  return observed(subject, async (run) => {
    await run.warmUp(body, settings.warmup);
    const repeats = new Repeats(settings.times, run.now());
    for (let call = 1; call <= settings.times; call++) {
      if (call === settings.times) run.observation.mark();
      await run.call(body);
      repeats.add(run.now());
    }
    const verdict = repeats.verdict();
    if (verdict.kind !== "steady") throw await explainRepeats(run, settings, verdict);
    if (run.sawNothing) throw await (run.isWatched ? explainNothing : explainUnseen)(run);
    return run.result();
  });
}

/** Fails when live bytes are more after one call of the body than before it. */
export async function expectNoLeak(subject, body, options) {
  const settings = settingsOf(body, options, { warmup: 1 });
  return observed(subject, async (run) => {
    await run.warmUp(body, settings.warmup);
    const before = run.now();
    run.observation.mark();
    await run.call(body);
    const after = run.now();
    if (after.liveBytes > before.liveBytes) throw await explainLeak(run, before, after);
    if (run.allocatedNothing) throw await (run.isWatched ? explainNothing : explainUnseen)(run);
    return run.result();
  });
}

async function observed(subject, judge) {
  const looking = begin(subject);
  try {
    return await judge(new Run(looking));
  } finally {
    end(looking.observation);
  }
}

/** The calls of a body. */
class Run {
  calls = 0;

  constructor({ observation, exports, isWatched }) {
    this.observation = observation;
    this.isWatched = isWatched;
    this.exports = exports;
    this.before = observation.state();
  }

  now() {
    return this.observation.state();
  }

  async warmUp(body, times) {
    for (let call = 0; call < times; call++) await this.call(body);
  }

  async call(body) {
    await linmemBody(body, this.exports);
    this.calls++;
  }

  get allocatedNothing() {
    return this.now().allocations === 0;
  }

  /** Without a recorder, a memory that grew shows that something ran. */
  get sawNothing() {
    return this.allocatedNothing && (this.isWatched || this.now().pages === this.before.pages);
  }

  result() {
    const { pages, allocations, frees, liveBytes } = this.now();
    return { watched: this.isWatched, calls: this.calls, pages, allocations, frees, liveBytes };
  }
}

// Stacks are cut at this name: what lies below is the test runner's.
async function linmemBody(body, exports) {
  await body(exports);
}

function settingsOf(body, options = {}, defaults) {
  if (typeof body !== "function") throw invalid(`expected a function to call, got ${typeof body}`);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(defaults, name)) throw invalid(`there is no option ${name}`);
    const least = name === "times" ? 1 : 0;
    if (!Number.isSafeInteger(value) || value < least) throw invalid(`option ${name} cannot be ${String(value)}`);
  }
  return { ...defaults, ...options };
}
