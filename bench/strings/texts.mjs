// The texts: of each kind 16 UTF-16 code units, over and over. The first is ASCII, so that the first
// byte is the same in every encoding.

const PATTERNS = {
  ASCII: "sixteen letters ",
  mixed: "naïve 漢字 😀 Köln",
};

export const KINDS = Object.keys(PATTERNS);

/** In UTF-16 code units. */
export const LENGTHS = [0, 4, 16, 64, 256, 4096, 131072, 8388608];

/** A text in one piece, as a parser makes it. Operators make ropes, which the first reader has to put together. */
export function makeText(kind, length) {
  const pattern = PATTERNS[kind];
  return JSON.parse(JSON.stringify(pattern.repeat(Math.ceil(length / pattern.length)).slice(0, length)));
}
