// Reads a trace, as docs/trace-format.md says: a list of { record, ...fields }.

const FIELDS = {
  number: (reader) => reader.number(),
  signed: (reader) => reader.signed(),
  pointer: (reader) => reader.pointer(),
  text: (reader) => reader.text(),
  bytes: (reader) => reader.bytes(),
  optional: (reader) => (reader.number() === 0 ? null : reader.number()),
  frames: (reader) => reader.list(() => reader.frame()),
  globals: (reader) => reader.list(() => ({ index: reader.number(), value: reader.number() })),
};

const RECORDS = {
  0x01: ["MODULE", { name: "text", file: "bytes", allocator: "text" }],
  0x02: ["INSTANCE", { module: "number", initialPages: "number", maxPages: "optional" }],
  0x03: ["SELECT", { instance: "number" }],
  0x04: ["CONTEXT", { frames: "frames" }],
  0x05: ["CLOCK", { micros: "number" }],
  0x06: ["LOW_MEMORY", { first: "number", last: "number", changed: "number" }],
  0x07: ["CALLED", { function: "number", times: "number" }],
  0x08: ["RETURNED", { function: "number", pointer: "pointer" }],
  0x09: ["SNAPSHOT", { pages: "number", framesLive: "number", globals: "globals" }],
  0x0a: ["SNAPSHOT_BYTES", { address: "number", contents: "bytes" }],
  0x0b: ["EXIT", { code: "signed" }],
  0x0d: ["PASSED", { pointer: "pointer" }],
  0x0e: ["HANDED_OUT", { pointer: "pointer" }],
  0x10: ["ALLOCATED", { context: "number", pointer: "pointer", size: "number" }],
  0x11: ["ALLOCATED_ALIGNED", { context: "number", pointer: "pointer", size: "number", alignment: "number" }],
  0x12: ["FREED", { context: "number", pointer: "pointer" }],
  0x13: ["FREED_SIZED", { context: "number", pointer: "pointer", size: "number", alignment: "number" }],
  0x14: ["REALLOCATING", { context: "number", pointer: "pointer", newSize: "number" }],
  0x16: ["REALLOCATED", { pointer: "pointer" }],
  0x17: ["GROWN", { context: "number", inAllocator: "number", deltaPages: "number", previousPages: "number" }],
  0x18: ["GROW_FAILED", { context: "number", inAllocator: "number", deltaPages: "number" }],
  0x20: ["USES_MEMORY", { memory: "number" }],
  0x21: ["CREATED", { context: "number" }],
  0x22: ["COLLECTED", {}],
  0x23: ["SIZE_READ", { memory: "number", by: "number", pages: "number", context: "number" }],
  0x24: ["HOST_GROWN", { memory: "number", deltaPages: "number", previousPages: "optional", context: "number" }],
  0x25: ["STALE_VIEW", { memory: "number", pages: "number", context: "number" }],
  0x26: ["NOTE", { words: "text" }],
  0x27: ["TOOK_FUNCTION", {}],
};

class Reader {
  #bytes;
  #at = 8;
  #last = 0;

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
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
    }
  }

  signed() {
    const value = BigInt(this.number());
    return Number(value & 1n ? -(value + 1n) / 2n : value / 2n);
  }

  pointer() {
    return (this.#last += this.signed());
  }

  bytes() {
    const length = this.number();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text() {
    return this.bytes().toString();
  }

  list(element) {
    return Array.from({ length: this.number() }, element);
  }

  frame() {
    const index = this.number();
    return index === 0 ? this.text() : { function: index - 1, offset: this.number() - 1 };
  }
}

/** All whole records of a trace; contexts are replaced by their frames. */
export function readTrace(bytes) {
  if (bytes.subarray(0, 8).toString("latin1") !== "linmem\0\x01") throw new Error("no trace");
  const reader = new Reader(bytes);
  const contexts = [];
  const records = [];
  while (!reader.isAtEnd) {
    const record = readRecord(reader, contexts);
    if (record.record === "CONTEXT") contexts.push(record.frames);
    else records.push(record);
  }
  return records;
}

function readRecord(reader, contexts) {
  const tag = reader.byte();
  const [record, fields] = RECORDS[tag] ?? [];
  if (record === undefined) throw new Error(`no record is tagged ${tag}`);
  const values = Object.entries(fields).map(([name, kind]) => [name, FIELDS[kind](reader)]);
  const { context, ...others } = Object.fromEntries(values);
  return { record, ...others, ...(context !== undefined && { stack: contexts[context] }) };
}
