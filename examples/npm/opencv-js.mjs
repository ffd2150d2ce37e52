// OpenCV, in C++, by Emscripten's embind. Matrices have to be deleted; "leak" forgets the kernel, as the report
// TechStark/opencv-js#79 has it.
import cv from "@techstark/opencv-js";

// It has a `then` of its own, so it cannot be awaited.
if (cv.Mat === undefined) await new Promise((resolve) => (cv.onRuntimeInitialized = () => resolve()));

function lines(data, width, height) {
  const image = cv.matFromImageData({ data, width, height });
  const grey = new cv.Mat();
  cv.cvtColor(image, grey, cv.COLOR_RGBA2GRAY);
  const kernel = cv.getStructuringElement(cv.MORPH_RECT, new cv.Size(1, 4));
  const found = new cv.Mat();
  cv.morphologyEx(grey, found, cv.MORPH_OPEN, kernel);
  const pixels = found.rows * found.cols;
  for (const mat of [image, grey, found]) mat.delete();
  if (process.argv[2] !== "leak") kernel.delete();
  return pixels;
}

const data = new Uint8ClampedArray(20 * 10 * 4).fill(255);
let pixels = 0;
for (let time = 0; time < 20; time++) pixels += lines(data, 20, 10);
console.log(pixels);
