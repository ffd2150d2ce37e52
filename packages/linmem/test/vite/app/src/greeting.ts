import url from './guest.wasm?url'

export type Block = number & { readonly brand: unique symbol }

interface Guest {
  memory: WebAssembly.Memory; text(): Block
  free(block: Block): void
}

export async function load(): Promise<Guest> {
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url))
  return instance.exports as unknown as Guest
}

export async function greet(times: number, leaks: boolean): Promise<void> {
  const { text, free } = await load()
  for (let time = 0; time < times; time++) {
    const block: Block = text()
    if (!leaks) free(block)
  }
}
