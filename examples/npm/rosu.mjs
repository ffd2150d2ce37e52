// A game's difficulty in Rust, by wasm-bindgen and without names. Its maps have to be freed; "leak" leaves that to a
// finalizer, which does not run in a loop.
import { Beatmap, Difficulty } from "rosu-pp-js";

const circles = Array.from({ length: 200 }, (_, at) => `${(at * 37) % 512},${(at * 91) % 384},${1000 + at * 180},1,0`);
const times = "[TimingPoints]\n0,300,4,2,0,50,1,0";
const text = ["osu file format v14", "[Difficulty]\nCircleSize:4", times, "[HitObjects]", ...circles].join("\n");
let stars = 0;
for (let time = 0; time < 30; time++) {
  const map = new Beatmap(text);
  const difficulty = new Difficulty();
  const result = difficulty.calculate(map);
  stars += result.stars;
  result.free();
  difficulty.free();
  if (process.argv[2] !== "leak") map.free();
}
console.log(stars.toFixed(3));
