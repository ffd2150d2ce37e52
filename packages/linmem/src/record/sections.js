// Reads the few things that a recorder needs from a module's bytes, which are known to be valid, and
// adds a custom section.

const CUSTOM = 0;
const IMPORT = 2;
const EXPORT = 7;

const FUNCTION = 0;

class Reader {
  #bytes;
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(bytes, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd() {
    return this.at >= this.#bytes.length;
  }

  byte() {
    return this.#bytes[this.at++];
  }

  number() {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  bytes(length) {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text() {
    return this.#decoder.decode(this.bytes(this.number()));
  }
}

function* sections(bytes) {
  const reader = new Reader(bytes, 8);
  while (!reader.isAtEnd) {
    const id = reader.byte();
    yield { id, body: new Reader(reader.bytes(reader.number())) };
  }
}

/** The number of a module's imports. */
export function importCount(bytes) {
  for (const { id, body } of sections(bytes)) if (id === IMPORT) return body.number();
  return 0;
}

/** The indices of the exported functions, by name. */
export function exportedFunctions(bytes) {
  const indices = new Map();
  for (const { id, body } of sections(bytes)) {
    if (id !== EXPORT) continue;
    for (let left = body.number(); left > 0; left--) {
      const [name, kind, index] = [body.text(), body.byte(), body.number()];
      if (kind === FUNCTION) indices.set(name, index);
    }
  }
  return indices;
}

/** The module's name in the name section; undefined where it has none. */
export function moduleName(bytes) {
  for (const { id, body } of sections(bytes)) {
    if (id === CUSTOM && body.text() === "name" && !body.isAtEnd && body.byte() === 0) {
      body.number();
      return body.text();
    }
  }
  return undefined;
}

/** The module with one more custom section, of bytes or of a text. It is the last one, so nothing before it moves. */
export function withCustomSection(bytes, name, value) {
  const encoder = new TextEncoder();
  const label = encoder.encode(name);
  const contents = typeof value === "string" ? encoder.encode(value) : value;
  const length = numberBytes(label.length);
  const size = numberBytes(length.length + label.length + contents.length);
  return joined([bytes, [CUSTOM], size, length, label, contents]);
}

function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function numberBytes(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
