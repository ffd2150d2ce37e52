// Gets a compiled module, and what it allocates has to be freed; "?leak" forgets it.
onmessage = ({ data }) => {
  const { text, free } = new WebAssembly.Instance(data).exports;
  for (let time = 0; time < 20; time++) {
    const block = text();
    if (location.search !== "?leak") free(block);
  }
  if (WebAssembly.Module.customSections(data, "linmem.original").length > 0) throw new Error("linmem can be seen");
  postMessage("done");
};
