// A player of animations, in Rust and C++, by wasm-bindgen. Players have to be destroyed; "leak" leaves them to a finalizer.
import { DotLottie } from "@lottiefiles/dotlottie-web";
import { readFileSync } from "node:fs";

const still = (k) => ({ a: 0, k });
const square = [
  { ty: "rc", s: still([20, 20]), p: still([0, 0]), r: still(2) },
  { ty: "fl", c: still([1, 0, 0, 1]), o: still(100) },
  { ty: "tr", p: still([0, 0]), a: still([0, 0]), s: still([100, 100]), r: still(0), o: still(100) },
];
const turning = { a: 1, k: [{ t: 0, s: [0] }, { t: 30, s: [360] }] };
const ks = { o: still(100), r: turning, p: still([32, 32, 0]), a: still([0, 0, 0]), s: still([100, 100, 100]) };
const layer = { ddd: 0, ind: 1, ty: 4, nm: "square", sr: 1, ip: 0, op: 30, st: 0, bm: 0, ks, shapes: [{ ty: "gr", it: square }] };
const data = JSON.stringify({ v: "5.7.0", fr: 30, ip: 0, op: 30, w: 64, h: 64, nm: "turning", ddd: 0, assets: [], layers: [layer] });

globalThis.requestAnimationFrame ??= (run) => setTimeout(run, 1);
globalThis.cancelAnimationFrame ??= clearTimeout;
const wasm = readFileSync(new URL("dotlottie-player.wasm", import.meta.resolve("@lottiefiles/dotlottie-web")));
DotLottie.setWasmUrl(`data:application/wasm;base64,${wasm.toString("base64")}`);

function play(frame) {
  return new Promise((resolve, reject) => {
    const player = new DotLottie({ canvas: { width: 64, height: 64 }, data, autoplay: false });
    player.addEventListener("loadError", ({ error }) => reject(error));
    player.addEventListener("load", () => {
      player.setFrame(frame);
      const { totalFrames } = player;
      if (process.argv[2] !== "leak") player.destroy();
      resolve(totalFrames);
    });
  });
}

let frames = 0;
for (let frame = 0; frame < 20; frame++) frames += await play(frame);
console.log(frames);
process.exit(0);
