// Neural networks in C++, by Emscripten with pthreads. Sessions have to be released; "leak" forgets them.
import { env, InferenceSession, Tensor } from "onnxruntime-web";

env.wasm.numThreads = 2;
// A model of one node, `y = x + x`, in the bytes of ONNX.
const field = (number, bytes) => [number * 8 + 2, bytes.length, ...bytes];
const text = (number, value) => field(number, [...Buffer.from(value)]);
const value = (name) => [...text(1, name), ...field(2, field(1, [8, 1, ...field(2, field(1, [8, 3]))]))];
const node = [...text(1, "x"), ...text(1, "x"), ...text(2, "y"), ...text(4, "Add")];
const graph = [...field(1, node), ...text(2, "g"), ...field(11, value("x")), ...field(12, value("y"))];
const model = Uint8Array.from([8, 8, ...field(7, graph), ...field(8, [16, 13])]);
let sum = 0;
for (let time = 0; time < 8; time++) {
  const session = await InferenceSession.create(model);
  const { y } = await session.run({ x: new Tensor("float32", [1, 2, time], [3]) });
  sum += y.data[2];
  if (process.argv[2] !== "leak") await session.release();
}
console.log(sum);
