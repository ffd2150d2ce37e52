// The engine's numbers: i32 as a number with a sign, i64 as a BigInt with one.

// A number where it is exact, else the BigInt.
const narrow = (value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value);

/** A number of 32 or 64 bits without its sign. */
export const unsigned = (value) => (typeof value === "bigint" ? narrow(BigInt.asUintN(64, value)) : value >>> 0);
