// Python in C, by Emscripten with names. Its proxies have to be destroyed; "leak" forgets them.
import { loadPyodide } from "pyodide";

const python = await loadPyodide();
python.runPython("def make(n):\n    return list(range(n))");
const make = python.globals.get("make");
let items = 0;
for (let time = 0; time < 30; time++) {
  const list = make(1000);
  items += list.length;
  if (process.argv[2] !== "leak") list.destroy();
}
make.destroy();
console.log(items);
