// Allocates in the memory that it gets, and frees that or not; then it waits, before any timer has run.
onmessage = ({ data: [module, memory] }) => {
  const { text, free } = new WebAssembly.Instance(module, { host: { memory } }).exports;
  for (let time = 0; time < 20; time++) {
    const pointer = text();
    if (location.search !== "?leak") free(pointer);
  }
  postMessage("done");
  Atomics.wait(new Int32Array(memory.buffer), 0, 0);
};
