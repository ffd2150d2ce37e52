// What a bundle is made of: the report names its lines. "?leak" forgets the blocks.
interface Guest {
  text(): number;
  free(block: number): void;
}

async function load(url: string): Promise<Guest> {
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
  return instance.exports as unknown as Guest;
}

function work({ text, free }: Guest): void {
  const block: number = text();
  if (location.search !== "?leak") free(block);
}

const guest = await load("guest.wasm");
for (let time = 0; time < 20; time++) work(guest);
await fetch("/done");
