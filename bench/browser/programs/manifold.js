// Cuts spheres out of cubes: solids are made, combined, measured and deleted through embind.
export async function load() {
  const { default: Module } = await import("/packages/manifold-3d/manifold.js");
  const module = await Module();
  module.setup();
  const { Manifold } = module;
  return (rounds) => {
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      const cube = Manifold.cube([1, 1, 1], true);
      const sphere = Manifold.sphere(0.6, 24 + (round % 8));
      const moved = sphere.translate([0.1, 0.05 * (round % 5), 0]);
      const rest = Manifold.difference(cube, moved);
      sum += rest.volume() + rest.surfaceArea();
      for (const solid of [cube, sphere, moved, rest]) solid.delete();
    }
    return sum.toFixed(6);
  };
}
