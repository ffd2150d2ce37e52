// The offsets of an instrumented module in the recorder map, a text of numbers as the mappings of source maps are: each
// is the difference to the one before it, in base64 digits of which each but the last has its sixth bit set.

const DIGITS = new Uint8Array(128);
[..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].forEach((digit, value) => (DIGITS[digit.charCodeAt(0)] = value));
const GOES_ON = 32;

/** Pairs of offsets, in the order of the first ones, which are those in the instrumented file: `{ new, original }`. */
export function offsetsIn(text) {
  // Each number has a digit.
  const starts = new Uint32Array(text.length >> 1);
  const originals = new Uint32Array(text.length >> 1);
  let pairs = 0;
  let start = 0;
  let original = 0;
  let isStart = true;
  for (let at = 0, value = 0, shift = 0; at < text.length; at++) {
    const digit = DIGITS[text.charCodeAt(at)];
    value |= (digit & (GOES_ON - 1)) << shift;
    shift += 5;
    if (digit >= GOES_ON) continue;
    // The lowest bit is the sign.
    const difference = value & 1 ? -(value >>> 1) : value >>> 1;
    if (isStart) starts[pairs] = start += difference;
    else originals[pairs++] = original += difference;
    isStart = !isStart;
    value = shift = 0;
  }
  return { new: starts.subarray(0, pairs), original: originals.subarray(0, pairs) };
}
