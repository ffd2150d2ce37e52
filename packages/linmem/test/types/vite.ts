// linmem/vite: what compiles, and what does not.

import linmem, { type LinmemOptions } from "linmem/vite";
import { defineConfig } from "vite";

defineConfig({ plugins: [linmem()] });
defineConfig({ plugins: [linmem({ top: 5, malloc: "xa", free: ["ya", 12], alignedAlloc: 7 })] });

const options: LinmemOptions = { rustDealloc: "drop" };
linmem(options);

// @ts-expect-error
linmem({ top: "5" });
// @ts-expect-error
linmem({ aligned_alloc: "x" });
// @ts-expect-error
linmem({ malloc: {} });
