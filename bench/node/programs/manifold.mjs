// Cuts spheres out of cubes: solids are made, combined, measured and deleted through embind.
import Module from "manifold-3d";
const { setup, Manifold } = await Module().then((module) => (module.setup(), module));
const rounds = Number(process.argv[2] ?? 200);
let sum = 0;
for (let round = 0; round < rounds; round++) {
  const cube = Manifold.cube([1, 1, 1], true);
  const sphere = Manifold.sphere(0.6, 24 + (round % 8));
  const moved = sphere.translate([0.1, 0.05 * (round % 5), 0]);
  const rest = Manifold.difference(cube, moved);
  sum += rest.volume() + rest.surfaceArea();
  for (const solid of [cube, sphere, moved, rest]) solid.delete();
}
console.log(sum.toFixed(6));
