// Images in Rust, by wasm-bindgen and with names. Its images have to be freed; "leak" leaves that to a finalizer.
import photon from "@silvia-odwyer/photon-node";

let width = 0;
for (let time = 0; time < 40; time++) {
  const image = new photon.PhotonImage(new Uint8Array(200 * 200 * 4).fill(time), 200, 200);
  photon.grayscale(image);
  width += image.get_width();
  if (process.argv[2] !== "leak") image.free();
}
console.log(width);
