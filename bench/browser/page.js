// Loads a program, has it do its work once, and tells the server how long that took. The same in a page and in a worker.

const { program, times, place } = Object.fromEntries(new URLSearchParams(location.search));

if (place === "worker" && globalThis.document !== undefined) new Worker(location.origin + "/page.js" + location.search, { type: "module" });
else work().catch(({ stack }) => ({ failed: stack })).then((result) => fetch("/done", { method: "POST", body: JSON.stringify(result) }));

async function work() {
  const { load } = await import(`/programs/${program}.js`);
  const run = await load();
  const start = performance.now();
  const value = await run(Number(times));
  return { work: performance.now() - start, value };
}
