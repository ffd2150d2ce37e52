// Allocates in the memory that it gets.
onmessage = ({ data: [module, memory] }) => {
  const { text } = new WebAssembly.Instance(module, { host: { memory } }).exports;
  for (let time = 0; time < 20; time++) text();
  postMessage("done");
};
