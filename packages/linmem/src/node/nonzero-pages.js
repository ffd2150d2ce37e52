// The pages of a memory that are not zero. Comparing is much faster than a loop; and a memory of gigabytes is mostly pages
// that nobody has touched, where the first look at each costs more than comparing it.

import { touched } from "./touched-pages.js";

const PAGE_BYTES = 65536;
const ZEROS = Buffer.alloc(PAGE_BYTES);

// In smaller memories there is little to win.
const LARGE = 2 ** 26;

/** The offsets of the pages of a memory that are not zero. */
export function nonzeroPages(bytes) {
  const pages = [];
  const isTouched = bytes.length < LARGE ? undefined : touched(bytes, PAGE_BYTES);
  for (let page = 0; page < bytes.length; page += PAGE_BYTES) {
    if (isTouched?.[page / PAGE_BYTES] === 0) continue;
    if (!ZEROS.equals(bytes.subarray(page, page + PAGE_BYTES))) pages.push(page);
  }
  return pages;
}
