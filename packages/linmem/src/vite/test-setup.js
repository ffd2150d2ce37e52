// Under Vitest: a page is gone as soon as its tests are done, so what was recorded goes to the server before.

import { afterAll } from "vitest";

afterAll(() => globalThis[Symbol.for("linmem.browser")]?.finish?.());
