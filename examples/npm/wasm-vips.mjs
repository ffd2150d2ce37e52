// Images, in C and C++, by Emscripten with threads, embind, mimalloc, and modules that are linked at run time. Images have to
// be deleted; "leak" forgets that.
import Vips from "wasm-vips";

const vips = await Vips({ print() {}, printErr() {} });

function thumbnail(offset) {
  const black = vips.Image.black(64, 48, { bands: 3 });
  const grey = black.linear([1, 1, 1], [50, 80 + offset, 10]);
  const blurred = grey.gaussblur(1.5);
  const bytes = blurred.writeToBuffer(".png").length;
  if (process.argv[2] !== "leak") for (const image of [blurred, grey, black]) image.delete();
  return bytes;
}

let thumbnails = 0;
for (let time = 0; time < 20; time++) if (thumbnail(time) > 0) thumbnails++;
console.log(thumbnails);
vips.shutdown();
