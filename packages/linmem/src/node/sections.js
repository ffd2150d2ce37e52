// The few things that a recorder reads in a module itself. The bytes are known to be valid.

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

/** How many imports a module has. */
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

/** What the name section calls the module. */
export function moduleName(bytes) {
  for (const { id, body } of sections(bytes)) {
    if (id === CUSTOM && body.text() === "name" && !body.isAtEnd && body.byte() === 0) {
      body.number();
      return body.text();
    }
  }
  return undefined;
}

/** The module with one more custom section, at its end, so that nothing before it moves. */
export function withCustomSection(bytes, name, contents) {
  const label = Buffer.from(name);
  const body = Buffer.concat([numberBytes(label.length), label, contents]);
  return Buffer.concat([bytes, Buffer.from([CUSTOM]), numberBytes(body.length), body]);
}

function numberBytes(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
