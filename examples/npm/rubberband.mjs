// Rubber Band, in C++, by Emscripten: names are gone, and so is the alignment that its `posix_memalign` was passed. Stretchers
// have to be deleted; "leak" forgets to.
import { readFileSync } from "node:fs";
import { RubberBandInterface } from "rubberband-wasm";

const [RATE, CHANNELS, OPTIONS, TIME, PITCH, BLOCK] = [44100, 1, 0, 1.2, 1, 1024];
const file = new URL("node_modules/rubberband-wasm/dist/rubberband.wasm", import.meta.url);
const library = await RubberBandInterface.initialize(await WebAssembly.compile(readFileSync(file)));

function stretch(frequency) {
  const stretcher = library.rubberband_new(RATE, CHANNELS, OPTIONS, TIME, PITCH);
  const [channels, samples] = [library.malloc(4), library.malloc(4 * BLOCK)];
  library.memWritePtr(channels, samples);
  library.memWrite(samples, Float32Array.from({ length: BLOCK }, (_, at) => Math.sin(at * frequency)));
  library.rubberband_set_max_process_size(stretcher, BLOCK);
  let retrieved = 0;
  for (let block = 1; block <= 4; block++) {
    library.rubberband_process(stretcher, channels, BLOCK, block === 4 ? 1 : 0);
    for (let left; (left = library.rubberband_available(stretcher)) > 0; ) {
      retrieved += library.rubberband_retrieve(stretcher, channels, Math.min(left, BLOCK));
    }
  }
  library.free(channels);
  library.free(samples);
  if (process.argv[2] !== "leak") library.rubberband_delete(stretcher);
  return retrieved;
}

let retrieved = 0;
for (let number = 1; number <= 20; number++) retrieved += stretch(number / 20);
console.log(retrieved);
