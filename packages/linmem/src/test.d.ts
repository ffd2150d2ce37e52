/** What the body is given: the exports, of an instance too. */
type ExportsOf<S> = S extends WebAssembly.Instance ? any : S extends { exports: infer E extends object } ? E : S;

/** What was seen when all is well. */
export interface Seen {
  /** Whether a recorder saw every allocation (`linmem node`), or only what went through the body's argument. */
  watched: boolean;
  /** Calls of the body, with those that warmed up. */
  calls: number;
  /** The memory's size now, in pages of 64 KiB. */
  pages: number;
  /** Allocations and reallocations that succeeded, since the expectation began. */
  allocations: number;
  /** Blocks that were freed since then. */
  frees: number;
  /** Live bytes, compared to the beginning. */
  liveBytes: number;
}

/** Blocks that are left, with the same stack. */
export interface Left {
  blocks: number;
  bytes: number;
  /** Where they were allocated, the innermost frame first; empty where there were too many to look. */
  stack: string[];
}

/**
 * Calls the body `warmup` times, and then `times` times, awaits each call, and fails when the second
 * half of these leaves more pages or live bytes than the first half did at most. It fails too when
 * the body allocated nothing in the instance, or when that cannot be seen.
 *
 * @example await expectSteadyMemory(instance, () => roundTrip(instance, "banana"))
 */
export function expectSteadyMemory<S extends object>(
  /** An instance, its exports, a memory, or what has a `memory`. */
  subject: S,
  body: (exports: ExportsOf<S>) => unknown,
  /** Default: 1 and 16. */
  options?: { warmup?: number; times?: number },
): Promise<Seen>;

/**
 * Calls the body `warmup` times, and then once more, awaits each call, and fails when live bytes are
 * more after the last call than before it. It fails too when the body allocated nothing in the
 * instance, or when that cannot be seen.
 *
 * @example await expectNoLeak(instance, () => roundTrip(instance, "banana"))
 */
export function expectNoLeak<S extends object>(
  /** An instance, its exports, a memory, or what has a `memory`. */
  subject: S,
  body: (exports: ExportsOf<S>) => unknown,
  /** Default: 1. */
  options?: { warmup?: number },
): Promise<Seen>;

/** Why an expectation failed; the numbers are there as far as there are any. */
export class MemoryExpectationError extends Error {
  name: "MemoryExpectationError";
  code:
    /** Pages or live bytes keep growing. */
    | "keeps-growing"
    /** There were changes, and fewer than 4 calls. */
    | "too-few-calls"
    /** Live bytes are more after a call than before it. */
    | "leak"
    /** The body allocated nothing in the instance. */
    | "allocated-nothing"
    /** Without a recorder: nothing could be seen. */
    | "unseen"
    /** The body freed blocks that are older than the expectation, whose sizes are not known. */
    | "older-blocks"
    /** Another expectation is running on the instance. */
    | "already-running"
    /** The recorder is of another version. */
    | "other-version"
    | "invalid-argument";
  watched?: boolean;
  calls?: number;
  pages?: number;
  /** When the expectation began. */
  pagesBefore?: number;
  allocations?: number;
  frees?: number;
  liveBytes?: number;
  /** `keeps-growing`, `older-blocks`: over the second half of the calls. */
  liveBytesPerCall?: number;
  /** `keeps-growing`, `older-blocks`: over the second half of the calls. */
  pagesPerCall?: number;
  /** `leak`, `older-blocks` */
  leakedBytes?: number;
  /** `keeps-growing`, `leak`: what the last call left, the most bytes first. */
  left?: Left[];
  /** `allocated-nothing`: other instances that allocated meanwhile, or shortly after. */
  otherInstances?: number;
  /** `allocated-nothing`: their allocations. */
  otherAllocations?: number;
  /** `allocated-nothing`, `unseen`: allocations in the instance after the body had returned. */
  laterAllocations?: number;
}
