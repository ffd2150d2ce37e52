// Filters of images in Rust, by wasm-bindgen: blurs and turns an image so many times.
import { PhotonImage, gaussian_blur, grayscale, fliph } from "@silvia-odwyer/photon-node";

const times = Number(process.argv[2]);
const [width, height] = [200, 200];
const pixels = new Uint8Array(width * height * 4).map((_, index) => index * 7);
let sum = 0;
for (let time = 0; time < times; time++) {
  const image = new PhotonImage(pixels, width, height);
  gaussian_blur(image, 3);
  grayscale(image);
  fliph(image);
  sum += image.get_raw_pixels()[time];
  image.free();
}
console.log(sum);
