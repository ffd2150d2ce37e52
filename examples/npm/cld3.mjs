// C++ and Emscripten's old compiler, whose stack grows up. Says in which language a text is.
import { createRequire } from "node:module";

// With `fetch`, the package takes Node for a browser.
delete globalThis.fetch;
const { loadModule } = createRequire(import.meta.url)("cld3-asm");

const factory = await loadModule();
for (let time = 0; time < 3; time++) {
  const identifier = factory.create(0, 1000);
  console.log(identifier.findLanguage("This piece of text is in English").language);
  identifier.dispose();
}
