// Reads a trace by the table of records in docs/trace-format.md: a list of { record, ...fields }.

import { readFileSync } from "node:fs";

const FORMAT = readFileSync(new URL("../../../../docs/trace-format.md", import.meta.url), "utf8");

/** The records of the format, by their tags: { record, fields }, where fields are pairs of a name and a kind. */
export const RECORDS = new Map([...FORMAT.matchAll(/^\| `([0-9a-f]{2})` \| (\w+) \|([^|]*)\|/gm)].map(([, tag, record, fields]) => [parseInt(tag, 16), { record, fields: fieldsOf(fields) }]));

// "file: bytes, pointer" and the like. What has no name has that of its kind.
function fieldsOf(text) {
  const parts = text.trim() === "" ? [] : text.trim().split(/, (?![^(]*\))/);
  return parts.map((part) => {
    const [name, kind] = /: (?![^(]*\))/.test(part) ? [part.slice(0, part.indexOf(":")), part.slice(part.indexOf(":") + 2)] : [undefined, part];
    return [name ?? (kind === "list of frame" ? "frames" : kind), kind];
  });
}

const KINDS = {
  number: (reader) => reader.number(),
  context: (reader) => reader.number(),
  "four numbers": (reader) => [reader.number(), reader.number(), reader.number(), reader.number()],
  stack: (reader) => reader.number(),
  "optional stack": (reader) => reader.optionalStack(),
  signed: (reader) => Number(reader.signed()),
  pointer: (reader) => reader.pointer(),
  text: (reader) => reader.text(),
  bytes: (reader) => reader.bytes(),
  optional: (reader) => (reader.number() === 0 ? null : reader.number()),
  "list of frame": (reader) => reader.list(() => reader.frame()),
  "list of (index: number, value: number)": (reader) => reader.list(() => [reader.number(), reader.number()]),
};

const narrow = (value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value);

class Reader {
  #bytes;
  #at = 8;
  #last = 0n;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isAtEnd() {
    return this.#at >= this.#bytes.length;
  }

  byte() {
    if (this.isAtEnd) throw new RangeError("the trace ends within a record");
    return this.#bytes[this.#at++];
  }

  number() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return narrow(value);
    }
  }

  signed() {
    const value = BigInt(this.number());
    return value & 1n ? -(value + 1n) / 2n : value / 2n;
  }

  // Distances wrap at 64 bits.
  pointer() {
    this.#last = BigInt.asUintN(64, this.#last + this.signed());
    return narrow(this.#last);
  }

  bytes() {
    const length = this.number();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The number of a stack of the host, or null. */
  optionalStack() {
    const number = this.number();
    return number === 0 ? null : number - 1;
  }

  text() {
    return this.bytes().toString();
  }

  list(element) {
    return Array.from({ length: this.number() }, element);
  }

  /** A function and an offset, null for the function as a whole; or the host's words. */
  frame() {
    const index = this.number();
    if (index === 0) return this.text();
    const offset = this.number();
    return [index - 1, offset === 0 ? null : offset - 1];
  }
}

/** All whole records of a trace. */
export function readRecords(bytes) {
  if (bytes.subarray(0, 8).toString("latin1") !== "linmem\0\x01") throw new Error("this is not a trace");
  const reader = new Reader(bytes);
  const records = [];
  while (!reader.isAtEnd) records.push(readRecord(reader));
  return records;
}

function readRecord(reader) {
  const tag = reader.byte();
  if (!RECORDS.has(tag)) throw new Error(`no record has the tag ${tag}`);
  const { record, fields } = RECORDS.get(tag);
  return { record, ...Object.fromEntries(fields.map(([name, kind]) => [name, KINDS[kind](reader)])) };
}

const framesOf = (records, kind) => records.filter(({ record }) => record === kind).map(({ frames }) => frames);

// The callers of each entry that is under way in an instance, the outermost first.
class Entries {
  #callers = [];

  take({ record, level, caller }) {
    if (record === "RESUMED") this.#callers.length = level + 1;
    if (record !== "ENTERED") return;
    this.#callers.length = level;
    this.#callers.push(caller);
  }

  get caller() {
    return this.#callers.at(-1) ?? null;
  }
}

/** The same with the frames of its stack, as `stack`, in each record that names one, those of its callers included. */
export function readTrace(bytes) {
  const records = readRecords(bytes);
  const [contexts, hosts] = ["CONTEXT", "HOST_STACK"].map((kind) => framesOf(records, kind));
  const entries = [];
  let selected = -1;
  const whole = records.map((record) => {
    const { context, stack, ...fields } = record;
    if (record.record === "INSTANCE") entries[(selected = entries.length)] = new Entries();
    if (record.record === "SELECT") selected = record.instance;
    entries[selected]?.take(record);
    if (stack !== undefined) return { ...fields, stack: hosts[stack] };
    if (context === undefined) return fields;
    const { caller } = entries[selected];
    return { ...fields, stack: [...contexts[context], ...(caller === null ? [] : hosts[caller])] };
  });
  return whole.filter(({ record }) => !["CONTEXT", "HOST_STACK", "ENTERED", "RESUMED"].includes(record));
}
