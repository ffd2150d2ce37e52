// A classic worker, in which nothing can be imported.
onmessage = async ({ data: { times, leaks } }) => {
  const { instance } = await WebAssembly.instantiateStreaming(fetch(new URL('/src/guest.wasm', location.href)))
  for (let time = 0; time < times; time++) {
    const block = instance.exports.text()
    if (!leaks) instance.exports.free(block)
  }
  postMessage('done')
}
