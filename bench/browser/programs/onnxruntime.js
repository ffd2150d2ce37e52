// Multiplies matrices again and again, with ONNX Runtime in two threads: an Emscripten program with pthreads.
const SIZE = 256;

// A model of one step, C = MatMul(A, B), as a protobuf message: fields are [number, value], and values are
// numbers, texts, or lists of fields.
const tensor = (name) => [[1, name], [2, [[1, [[1, 1], [2, [[1, dimension()], [1, dimension()]]]]]]]];
const dimension = () => [[1, SIZE]];
const step = [[1, "A"], [1, "B"], [2, "C"], [4, "MatMul"]];
const graph = [[1, step], [2, "product"], [11, tensor("A")], [11, tensor("B")], [12, tensor("C")]];
const model = [[1, 8], [8, [[1, ""], [2, 13]]], [7, graph]];

function varint(number) {
  return number < 128 ? [number] : [(number % 128) + 128, ...varint(Math.floor(number / 128))];
}

function encoded(fields) {
  return fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [...varint(number * 8), ...varint(value)];
    const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : encoded(value);
    return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
  });
}

export async function load() {
  const ort = await import("/packages/onnxruntime-web/dist/ort.wasm.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: 2, wasmPaths: "/packages/onnxruntime-web/dist/" });
  const session = await ort.InferenceSession.create(Uint8Array.from(encoded(model)), { executionProviders: ["wasm"] });
  const matrix = () => new ort.Tensor("float32", new Float32Array(SIZE * SIZE).fill(1), [SIZE, SIZE]);
  return async (times) => {
    let sum = 0;
    for (let time = 0; time < times; time++) sum += (await session.run({ A: matrix(), B: matrix() })).C.data[0];
    await session.release();
    return sum;
  };
}
