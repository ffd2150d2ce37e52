// Whether a page of a memory is zero: comparing is much faster than a loop, and memories of gigabytes are mostly zero.

const ZEROS = Buffer.alloc(65536);

export const isZero = (page) => ZEROS.equals(page);
