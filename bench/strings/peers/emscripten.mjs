// The runtime that emcc emits.

import { bytes } from "./module.mjs";

export const name = "Emscripten";

export async function load() {
  const { default: createModule } = await import("../target/emscripten.mjs");
  const module = await createModule({ wasmBinary: await bytes("emscripten.wasm") });

  function lend(text, run) {
    const pointer = module.stringToNewUTF8(text);
    const result = run(pointer);
    module._free(pointer);
    return result;
  }

  function take(pointer) {
    const text = module.UTF8ToString(pointer);
    module._free(pointer);
    return text;
  }

  return {
    first: (text) => lend(text, module._first),
    keep: (text) => lend(text, module._keep),
    kept: () => module.UTF8ToString(module._kept()),
    copy: () => take(module._copy()),
  };
}
