// Reads the few things that a recorder needs from a module's bytes, and adds a custom section. The bytes are known to be
// valid, unless a function says otherwise.

const CUSTOM = 0;

// Enough for a key and a seal.
const ROOM = 1024;
const IMPORT = 2;
const MEMORY = 5;

// The first bytes of a module. Those of a component go on in another way.
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

// Kinds of imports and exports.
const FUNCTION = 0;
const TABLE = 1;
const MEMORY_KIND = 2;
const GLOBAL = 3;
const TAG = 4;

// Types of one byte; and references, whose byte another type follows.
const isShortType = (byte) => (byte >= 0x69 && byte <= 0x74) || (byte >= 0x7b && byte <= 0x7f);
const isReference = (byte) => byte === 0x63 || byte === 0x64;

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
    if (this.isAtEnd) throw new RangeError("the bytes end too early");
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
    if (this.at + length > this.#bytes.length) throw new RangeError("the bytes end too early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  rest() {
    return this.bytes(this.#bytes.length - this.at);
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

/**
 * Whether a module has a memory, its own or an imported one. These bytes may be anything: true where that cannot be
 * told.
 */
export function mayHaveMemory(bytes) {
  if (HEADER.some((byte, at) => bytes[at] !== byte)) return true;
  try {
    for (const { id, body } of sections(bytes)) {
      if (id === MEMORY && body.number() > 0) return true;
      if (id === IMPORT && importsMemory(body)) return true;
    }
    return false;
  } catch {
    return true;
  }
}

function importsMemory(body) {
  for (let left = body.number(); left > 0; left--) {
    body.bytes(body.number());
    body.bytes(body.number());
    const kind = body.byte();
    if (kind === MEMORY_KIND) return true;
    skipImport(kind, body);
  }
  return false;
}

function skipImport(kind, body) {
  if (kind === FUNCTION) body.number();
  else if (kind === TABLE) skipTable(body);
  else if (kind === GLOBAL) skipGlobal(body);
  else if (kind === TAG) body.bytes(1), body.number();
  else throw new RangeError(`imports of kind ${kind} are not known`);
}

function skipTable(body) {
  skipType(body);
  const flags = body.byte();
  if (flags > 7) throw new RangeError(`limits with the flags ${flags} are not known`);
  body.number();
  if (flags & 1) body.number();
}

function skipGlobal(body) {
  skipType(body);
  body.bytes(1);
}

function skipType(body) {
  const byte = body.byte();
  if (isReference(byte)) body.number();
  else if (!isShortType(byte)) throw new RangeError(`the type ${byte} is not known`);
}

/** A module that has only the custom sections of this name. */
export function withOnlySections(bytes, name) {
  let module = Uint8Array.from(HEADER);
  for (const { id, body } of sections(bytes)) {
    if (id === CUSTOM && body.text() === name) module = withCustomSection(module, name, body.rest());
  }
  return module;
}

// Bytes with room behind them.
const withRoom = new WeakSet();

/** So many bytes in a buffer that has room for a section behind them: to copy a large module takes a while. */
export function bytesWithRoom(length) {
  const bytes = new Uint8Array(length + ROOM).subarray(0, length);
  withRoom.add(bytes);
  return bytes;
}

/** The module with one more custom section, of bytes or of a text. It is the last one, so nothing before it moves. */
export function withCustomSection(bytes, name, value) {
  const encoder = new TextEncoder();
  const label = encoder.encode(name);
  const contents = typeof value === "string" ? encoder.encode(value) : value;
  const length = numberBytes(label.length);
  const size = numberBytes(length.length + label.length + contents.length);
  const section = [[CUSTOM], size, length, label, contents];
  return withRoom.delete(bytes) ? inRoom(bytes, joined(section)) : joined([bytes, ...section]);
}

function inRoom(bytes, section) {
  const whole = bytes.length + section.length;
  if (whole > bytes.buffer.byteLength) return joined([bytes, section]);
  const all = new Uint8Array(bytes.buffer, 0, whole);
  all.set(section, bytes.length);
  return all;
}

/** Bytes in parts as one. */
export function joined(parts) {
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
