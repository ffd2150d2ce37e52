// Inflates deflated data (RFC 1951), at once: a browser's own DecompressionStream is asynchronous. The data are linmem's.

const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE = 15;
const END_OF_BLOCK = 256;

const extraOfLength = (code) => (code < 8 || code === 28 ? 0 : (code >> 2) - 1);
const extraOfDistance = (code) => (code < 4 ? 0 : (code >> 1) - 1);

/** The inflated bytes, of which there are `length`. */
export function inflate(deflated, length) {
  return new Inflation(deflated, length).all();
}

class Inflation {
  #from;
  #at = 0;
  #bits = 0;
  #count = 0;
  #to;
  #end = 0;

  constructor(deflated, length) {
    this.#from = deflated;
    this.#to = new Uint8Array(length);
  }

  all() {
    for (let isLast = false; !isLast; ) {
      isLast = this.#take(1) === 1;
      const kind = this.#take(2);
      if (kind === 0) this.#stored();
      else this.#compressed(...(kind === 1 ? fixed() : this.#dynamic()));
    }
    if (this.#end !== this.#to.length) throw new Error("linmem's library is not whole");
    return this.#to;
  }

  #take(count) {
    while (this.#count < count) this.#more();
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#count -= count;
    return value;
  }

  #more() {
    this.#bits |= this.#from[this.#at++] << this.#count;
    this.#count += 8;
  }

  #stored() {
    this.#at -= this.#count >> 3;
    this.#bits = this.#count = 0;
    const length = this.#from[this.#at] | (this.#from[this.#at + 1] << 8);
    const start = this.#at + 4;
    this.#at = start + length;
    this.#to.set(this.#from.subarray(start, this.#at), this.#end);
    this.#end += length;
  }

  // A table has, for all values of the next bits, a symbol and how many bits it takes.
  #symbol({ table, width }) {
    while (this.#count < width) this.#more();
    const entry = table[this.#bits & ((1 << width) - 1)];
    this.#bits >>>= entry & 15;
    this.#count -= entry & 15;
    return entry >> 4;
  }

  #dynamic() {
    const [literals, distances, lengths] = [this.#take(5) + 257, this.#take(5) + 1, this.#take(4) + 4];
    const ofCodes = new Uint8Array(ORDER.length);
    for (let i = 0; i < lengths; i++) ofCodes[ORDER[i]] = this.#take(3);
    const codes = codeOf(ofCodes);
    const all = new Uint8Array(literals + distances);
    for (let at = 0; at < all.length; ) {
      const symbol = this.#symbol(codes);
      if (symbol < 16) {
        all[at++] = symbol;
        continue;
      }
      const value = symbol === 16 ? all[at - 1] : 0;
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      all.fill(value, at, (at += times));
    }
    return [codeOf(all.subarray(0, literals)), codeOf(all.subarray(literals))];
  }

  #compressed(literals, distances) {
    const to = this.#to;
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < END_OF_BLOCK) {
        to[this.#end++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) return;
      const code = symbol - END_OF_BLOCK - 1;
      const length = LENGTHS[code] + this.#take(extraOfLength(code));
      const far = this.#symbol(distances);
      const distance = DISTANCES[far] + this.#take(extraOfDistance(far));
      // What is copied may be what the copy has written.
      for (const end = this.#end + length; this.#end < end; this.#end++) to[this.#end] = to[this.#end - distance];
    }
  }
}

const fixed = () => [codeOf(Uint8Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8))), codeOf(new Uint8Array(30).fill(5))];

// The code whose symbols have so many bits each.
function codeOf(lengths) {
  const width = Math.max(1, ...lengths);
  const table = new Uint16Array(1 << width);
  let code = 0;
  for (let length = 1; length <= Math.min(width, LONGEST_CODE); length++, code <<= 1) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      for (let at = reversed(code, length); at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
      code++;
    }
  }
  return { table, width };
}

function reversed(code, length) {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >> bit) & 1) << (length - 1 - bit);
  return result;
}
