// Words the errors. Before one is made, there is a short wait: allocations after the body has returned
// tell that it was not awaited.

import { MemoryExpectationError } from "./expectation-error.js";
import { isRecorded } from "./observe.js";

// Test runners replace timers.
const { setTimeout } = globalThis;

const PATIENCE_MILLISECONDS = 100;
const POLL_MILLISECONDS = 5;

const SHOWN_STACKS = 5;
const SHOWN_FRAMES = 12;

/** Too few calls, or growth. */
export async function explainRepeats(run, { times }, verdict) {
  const body = `${count(times, "call")} of the body`;
  const numbers = numbersOf(run);
  if (verdict.kind === "too-few") return failure("too-few-calls", `${body} are too few to tell`, numbers);
  const { liveBytesPerCall, pagesPerCall, pagesRose, unknownFrees } = verdict;
  const details = { ...numbers, liveBytesPerCall, pagesPerCall };
  if (unknownFrees > 0 && !pagesRose) return failure("older-blocks", olderBlocks(body, unknownFrees), details);
  const left = run.observation.left();
  const message = [
    `${body}, and still growing: ${growth(liveBytesPerCall, pagesPerCall)} with each.`,
    await freedLater(run),
    "See which blocks are left, and free them; memory that only the allocator holds on to comes to rest with more calls (times).",
    caveat(run),
  ];
  return failure("keeps-growing", withStacks(message, "Left by the last call", left), { ...details, left: cutAll(left) });
}

/** More live bytes after a call than before it. */
export async function explainLeak(run, before, after) {
  const bytes = after.liveBytes - before.liveBytes;
  const numbers = { ...numbersOf(run), leakedBytes: bytes };
  const unknownFrees = after.unknownFrees - before.unknownFrees;
  if (unknownFrees > 0) return failure("older-blocks", olderBlocks("the body", unknownFrees), numbers);
  const left = run.observation.left();
  const message = [`live bytes are ${count(bytes, "byte")} more after a call of the body than before it.`, await freedLater(run), caveat(run)];
  return failure("leak", withStacks(message, "Left by the call", left), { ...numbers, left: cutAll(left) });
}

/** The recorder saw that the body allocated nothing in the instance. */
export async function explainNothing(run) {
  const during = run.observation.others();
  const before = run.now();
  await patience(() => run.now().allocations > 0);
  const later = run.now().allocations;
  const others = total(run.observation.others());
  const numbers = { ...numbersOf(run), otherInstances: others.instances, otherAllocations: others.allocations, laterAllocations: later };
  const what = `${count(run.calls, "call")} of the body allocated nothing in this instance, so nothing was tested`;
  return failure("allocated-nothing", `${what}: ${reason(run, before, later, during)}`, numbers);
}

function reason(run, { failed, frees }, later, during) {
  if (failed > 0) return `${count(failed, "allocation")} failed, as the allocator returned NULL`;
  if (later > 0) return `${count(later, "allocation")} came after the body had returned: return its promise, or await it`;
  if (!run.observation.hasAllocator) return "no function of its module is known to allocate: name one in LINMEM_INSTRUMENT_OPTIONS";
  const elsewhere = placesOf(during);
  if (elsewhere !== "") return `${elsewhere} meanwhile: pass the instance that you measure`;
  const afterwards = placesOf(run.observation.others());
  if (afterwards !== "") return `${afterwards} after the body had returned: await it, and pass the instance that you measure`;
  if (frees > 0) return `it only freed ${count(frees, "block")}`;
  return `no instance allocated anything, neither meanwhile nor within ${PATIENCE_MILLISECONDS} ms after`;
}

const total = ({ ofSameModule, ofOtherModules }) => ({
  instances: ofSameModule.instances + ofOtherModules.instances,
  allocations: ofSameModule.allocations + ofOtherModules.allocations,
});

function placesOf({ ofSameModule, ofOtherModules }) {
  const place = ({ instances, allocations }, which) =>
    instances === 0 ? [] : [`${instances} other ${plural(instances, "instance")} of ${which} made ${count(allocations, "allocation")}`];
  const ofOther = plural(ofOtherModules.instances, "another module", "other modules");
  return [...place(ofSameModule, "the same module"), ...place(ofOtherModules, ofOther)].join(" and ");
}

/** Without a recorder nothing was seen, which may be its fault or the body's. */
export async function explainUnseen(run) {
  const { pages: first } = run.before;
  const { pages } = run.now();
  await patience(() => run.now().allocations > 0 || run.now().pages !== pages);
  const { allocations, pages: last } = run.now();
  const numbers = { ...numbersOf(run), pages: last, laterAllocations: allocations };
  const message = [
    `nothing can be said about ${count(run.calls, "call")} of the body: no function of the allocator was called through the exports that it is given, and the memory ${sizes(first, pages)}.`,
    allocations > 0 && `${count(allocations, "allocation")} came after the body had returned: return its promise, or await it.`,
    last !== pages && `The memory grew to ${count(last, "page")} after the body had returned: return its promise, or await it.`,
    !run.observation.hasAllocator && "No export has the name of an allocator function that is known.",
    advice(),
  ];
  return failure("unseen", sentences(message), numbers);
}

const sizes = (first, last) => (first === last ? `stayed at ${count(first, "page")}` : `grew from ${first} to ${count(last, "page")}, which does not tell what is left`);

const advice = () =>
  isRecorded()
    ? "linmem watches this program, but not this instance: its report has a note that says why."
    : "Run the test under `linmem node` (or `node --import linmem/node`), which sees every allocation, or allocate through the body's argument: (exports) => …";

const olderBlocks = (body, frees) =>
  `${body} freed ${count(frees, "block")} that had been allocated before the expectation began, so their sizes are not known, and live bytes cannot be compared: let more calls come before (warmup), until such blocks are gone`;

const caveat = (run) => !run.isWatched && "Only calls of the allocator through the body's argument were seen: `linmem node` sees every allocation.";

// Whether what is left was only late.
async function freedLater(run) {
  const { frees, liveBytes } = run.now();
  await patience(() => run.now().liveBytes <= run.before.liveBytes);
  const later = run.now();
  if (later.liveBytes >= liveBytes) return undefined;
  const blocks = later.frees - frees;
  return `${count(blocks, "block")} ${plural(blocks, "was", "were")} freed only after the body had returned: return its promise, or await it.`;
}

async function patience(isOver) {
  for (let waited = 0; waited < PATIENCE_MILLISECONDS && !isOver(); waited += POLL_MILLISECONDS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}

/** The parts that grow, as in `7 live bytes and 0.125 pages more`. */
function growth(liveBytes, pages) {
  const parts = [[liveBytes, "live bytes"], [pages, "pages"]].filter(([number]) => number > 0);
  // Up to three digits behind the point, and none that say nothing.
  const shown = parts.map(([number, unit]) => `${Math.round(number * 1000) / 1000} ${unit}`);
  return shown.length === 0 ? "more at times" : `${shown.join(" and ")} more`;
}

function numbersOf(run) {
  return { ...run.result(), pagesBefore: run.before.pages };
}

const failure = (code, message, details) => new MemoryExpectationError(code, message, details);

const sentences = (parts) => parts.filter(Boolean).join(" ");

function withStacks(message, title, left) {
  const shown = left.slice(0, SHOWN_STACKS).map(({ blocks, bytes, stack }) => {
    const frames = cut(stack).slice(0, SHOWN_FRAMES);
    return [`  ${count(blocks, "block")}, ${count(bytes, "byte")}`, ...frames.map((frame) => `    ${frame}`)].join("\n");
  });
  const more = left.length > SHOWN_STACKS ? [`  and from ${left.length - SHOWN_STACKS} more places`] : [];
  return [sentences(message), ...(left.length > 0 ? [`${title}:`, ...shown, ...more] : [])].join("\n");
}

const cutAll = (left) => left.map((group) => ({ ...group, stack: cut(group.stack) }));

// Up to the body: the test runner called it.
function cut(stack) {
  const end = stack.findIndex((frame) => /\blinmemBody\b/.test(frame));
  return end < 0 ? stack : stack.slice(0, end);
}

const plural = (number, one, many = `${one}s`) => (number === 1 ? one : many);
const count = (number, unit) => `${number} ${plural(number, unit)}`;
