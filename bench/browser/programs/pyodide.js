// Python in C, by Emscripten: makes and sorts lists of objects so many times.
export async function load() {
  const { loadPyodide } = await import("/packages/pyodide/pyodide.mjs");
  const python = await loadPyodide({ indexURL: "/packages/pyodide/" });
  return (times) => {
    python.globals.set("times", times);
    return python.runPython(`
total = 0
for time in range(times):
    rows = [{"number": n, "text": str(n)} for n in range(2000)]
    rows.sort(key=lambda row: row["text"])
    total += len(rows[0]["text"])
total
`);
  };
}
