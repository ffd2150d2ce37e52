// Skia in C++, by Emscripten's embind and with minified names. Its objects have to be deleted; "leak" forgets the
// shaders, which their paints do not own.
import CanvasKitInit from "canvaskit-wasm";

const { Color, MakeSurface, Paint, Shader, TileMode } = await CanvasKitInit();
const surface = MakeSurface(64, 64);
const canvas = surface.getCanvas();
for (let time = 0; time < 50; time++) {
  const paint = new Paint();
  const shader = Shader.MakeLinearGradient([0, 0], [64, 64], [Color(255, 0, 0), Color(0, 0, 255)], null, TileMode.Clamp);
  paint.setShader(shader);
  canvas.drawRect([0, 0, 64, 64], paint);
  if (process.argv[2] !== "leak") shader.delete();
  paint.delete();
}
const pixels = canvas.readPixels(32, 32, { ...surface.imageInfo(), width: 1, height: 1 });
surface.delete();
console.log([...pixels]);
