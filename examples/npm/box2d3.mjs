// Box2D 3, in C, by Emscripten with embind. Definitions have to be deleted; "leak" forgets those of shapes.
import Box2DFactory from "./node_modules/box2d3-wasm/build/dist/es/compat/Box2D.compat.mjs";

const box2d = await Box2DFactory();

function fall(bodies) {
  const definition = box2d.b2DefaultWorldDef();
  const world = box2d.b2CreateWorld(definition);
  definition.delete();
  for (let number = 0; number < bodies; number++) {
    const body = box2d.b2DefaultBodyDef();
    body.type = box2d.b2BodyType.b2_dynamicBody;
    const shape = box2d.b2DefaultShapeDef();
    const box = box2d.b2MakeBox(0.5, 0.5);
    box2d.b2CreatePolygonShape(box2d.b2CreateBody(world, body), shape, box);
    if (process.argv[2] !== "leak") shape.delete();
    box.delete();
    body.delete();
  }
  for (let step = 0; step < 10; step++) box2d.b2World_Step(world, 1 / 60, 4);
  box2d.b2DestroyWorld(world);
}

for (let round = 0; round < 20; round++) fall(5);
console.log("20 worlds");
