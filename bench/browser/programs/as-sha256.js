// SHA-256 in AssemblyScript, which allocates nothing: short calls of one export, one after the other.
export async function load() {
  const { digest } = await import("/examples/@chainsafe/as-sha256/lib/index.js");
  return (times) => {
    const data = new Uint8Array(64);
    let sum = 0;
    for (let time = 0; time < times; time++) {
      data[time & 63] = time;
      sum += digest(data)[0];
    }
    return sum;
  };
}
