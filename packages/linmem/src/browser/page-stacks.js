// The stacks port of a page or a worker.

import { callSites } from "../record/v8-sites.js";
import { CallSites } from "./call-sites.js";
import { StackTexts } from "./stack-texts.js";

const DEPTH = 100;
const LONGEST_WORDS = 300;

/** Stacks, given in which file this code is itself; `mark` is as in places.js. */
export function stacksOf({ own, mark }) {
  const isOwn = (text) => text.includes(own);
  return {
    take: taker(isOwn, mark),

    // No browser brings along modules of its own that go through the page's `WebAssembly`.
    isHostsOwn: () => false,

    wordsOf(error) {
      if (!isError(error) || typeof error.stack !== "string" || !/wasm:\/\/|wasm-function\[/.test(error.stack)) return undefined;
      return `${error.name}: ${error.message}`.slice(0, LONGEST_WORDS);
    },

    cleaned(error) {
      if (isError(error) && typeof error.stack === "string" && isOwn(error.stack)) {
        error.stack = error.stack.split("\n").filter((line) => !isOwn(line)).join("\n");
      }
      return error;
    },
  };
}

const isError = (value) => Object.prototype.toString.call(value) === "[object Error]";

// By call sites where the engine has them.
function taker(isOwn, mark) {
  if (callSites(1).length > 0) {
    const sites = new CallSites(isOwn, mark);
    return (depth = DEPTH) => {
      const taken = callSites(depth);
      const frames = taken.map((site) => sites.frameOf(site)).filter((frame) => frame !== undefined);
      frames.isCut = taken.length === depth;
      return frames;
    };
  }
  const texts = new StackTexts(isOwn, mark);
  return () => texts.framesOf(new Error().stack ?? "");
}
