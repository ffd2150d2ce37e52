// Allocates in the memory that it gets, and frees that or not.
onmessage = ({ data: [module, memory] }) => {
  const { text, free } = new WebAssembly.Instance(module, { host: { memory } }).exports;
  for (let time = 0; time < 20; time++) {
    const pointer = text();
    if (location.search !== "?leak") free(pointer);
  }
  postMessage("done");
};
