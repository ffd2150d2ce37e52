// Where reports go and how they look.

import { writeFileSync, writeSync } from "node:fs";
import { CommandError, about } from "./command-error.js";

export class Output {
  #values;

  constructor(values) {
    this.#values = values;
    if (!/^\d+$/.test(values.top)) throw new CommandError(`--top: ${values.top} is not a number`);
    if (!["auto", "always", "never"].includes(values.color)) throw new CommandError(`--color: ${values.color} is not auto, always or never`);
  }

  /** Hot sites to list of each kind. */
  get hotSites() {
    return Number(this.#values.top);
  }

  /** Whether the text has colours. */
  get color() {
    const { color, output } = this.#values;
    if (output !== undefined || color === "never") return false;
    return color === "always" || (process.stderr.isTTY === true && process.stderr.hasColors());
  }

  /** Writes a report, `{ text, json }`, wherever the user wants it. */
  write({ text, json }) {
    try {
      this.#writeText(text);
    } finally {
      this.#writeJson(json);
    }
  }

  #writeText(text) {
    const { output, quiet } = this.#values;
    if (quiet) return;
    if (output === undefined) print(2, text);
    else about(output, () => writeFileSync(output, text), "cannot write ");
  }

  #writeJson(json) {
    const { json: path } = this.#values;
    if (path === "-") print(1, json);
    else if (path !== undefined) about(path, () => writeFileSync(path, json), "cannot write ");
  }
}

/** Writes text to a descriptor, which may be a pipe that is full for a while, or one that nobody reads any more. */
export function print(descriptor, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
