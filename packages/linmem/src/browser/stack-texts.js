// Stacks of engines that give them as text only, `name@file:line:column`, as Firefox and Safari do.

import { frameAt } from "./places.js";

const LINE = /^(.*?)@(.*)$/;
const OF_SCRIPT = /^(.+?)(?: line \d+ > [^:]+)?:(\d+):(\d+)$/;
const OF_MODULE = /^(.+):wasm-function\[(\d+)\]:0x([0-9a-f]+)$/;

/** Frames of a stack's text, `isOwn` says of a file whether it is the recorder's; `mark` is as in places.js. */
export class StackTexts {
  #isOwn;
  #mark;
  #known = new Map();

  constructor(isOwn, mark) {
    this.#isOwn = isOwn;
    this.#mark = mark;
  }

  framesOf(stack) {
    return stack.split("\n").map((line) => this.#known.get(line) ?? this.#learn(line)).filter((frame) => frame !== undefined);
  }

  #learn(line) {
    const frame = this.#frameOf(line);
    if (frame !== undefined) this.#known.set(line, frame);
    return frame;
  }

  #frameOf(line) {
    const [, name, place] = LINE.exec(line) ?? [];
    if (place === undefined) return undefined;
    const module = OF_MODULE.exec(place);
    if (module !== null) return { url: module[1], index: Number(module[2]), offset: parseInt(module[3], 16), name: ownName(name) };
    const script = OF_SCRIPT.exec(place);
    if (script === null || this.#isOwn(script[1])) return undefined;
    const words = (place) => (name === "" ? place : `${name.replace("async*", "async ")} (${place})`);
    return frameAt(this.#mark, words, script[1], Number(script[2]), Number(script[3]));
  }
}

// A function without a name is called by its index.
const ownName = (name) => (name === "" || name.startsWith("wasm-function[") ? undefined : name);
