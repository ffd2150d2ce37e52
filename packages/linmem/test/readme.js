// The README's first example, whose guest is guests/libc.c.

import { readFileSync } from "node:fs";

export const readmeExample = () => /```js\n(.*?)```/s.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))[1];

export const EXAMPLE_OUTPUT = "6\n6 naïve\n";
