// Solids in C++, by Emscripten's embind and with minified names. Its objects have to be deleted; "leak" forgets the
// results.
import Module from "manifold-3d";

const module = await Module();
module.setup();
let volume = 0;
for (let time = 0; time < 20; time++) {
  const cube = module.Manifold.cube([2, 2, 2], true);
  const ball = module.Manifold.sphere(1.2, 32);
  const result = module.Manifold.difference(cube, ball);
  volume += result.volume();
  cube.delete();
  ball.delete();
  if (process.argv[2] !== "leak") result.delete();
}
console.log(volume.toFixed(3));
