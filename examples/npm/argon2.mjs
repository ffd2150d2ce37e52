// C and Emscripten, names minified. Copies blocks of 1,024 bytes, so that 1,024 is passed to its import again and again.
import { createRequire } from "node:module";

// With `fetch`, the package takes Node for a browser.
delete globalThis.fetch;
const argon2 = createRequire(import.meta.url)("argon2-browser");

for (let time = 0; time < 3; time++) {
  const { encoded } = await argon2.hash({ pass: "password", salt: "somesalt" });
  await argon2.verify({ pass: "password", encoded });
  console.log(encoded);
}
