// Meshes in C++, by Emscripten's WebIDL binder and with minified names. Its objects have to be destroyed; "leak" forgets
// the meshes.
import draco3d from "draco3d";

const encoder = await draco3d.createEncoderModule({});
let points = 0;
for (let time = 0; time < 60; time++) {
  const builder = new encoder.MeshBuilder();
  const mesh = new encoder.Mesh();
  builder.AddFacesToMesh(mesh, 1, [0, 1, 2]);
  builder.AddFloatAttributeToMesh(mesh, encoder.POSITION, 3, 3, new Float32Array(9));
  points += mesh.num_points();
  if (process.argv[2] !== "leak") encoder.destroy(mesh);
  encoder.destroy(builder);
}
console.log(points);
