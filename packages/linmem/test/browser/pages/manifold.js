// Solids of an embind module, compiled while they are fetched; "?leak" forgets to delete the results.
import Module from "/node_modules/manifold-3d/manifold.js";
import { done } from "./done.js";

const module = await Module();
module.setup();
for (let time = 0; time < 20; time++) {
  const cube = module.Manifold.cube([2, 2, 2], true);
  const ball = module.Manifold.sphere(1.2, 32);
  const result = module.Manifold.difference(cube, ball);
  cube.delete();
  ball.delete();
  if (location.search !== "?leak") result.delete();
}
await done();
