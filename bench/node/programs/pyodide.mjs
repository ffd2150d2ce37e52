// Python in C, by Emscripten: makes and sorts lists of objects so many times.
import { loadPyodide } from "pyodide";

const times = Number(process.argv[2]);
const python = await loadPyodide();
python.globals.set("times", times);
console.log(
  python.runPython(`
total = 0
for time in range(times):
    rows = [{"number": n, "text": str(n)} for n in range(2000)]
    rows.sort(key=lambda row: row["text"])
    total += len(rows[0]["text"])
total
`),
);
