// A caller in a file of its own.
export function elsewhere({ malloc }) {
  return malloc(30); // elsewhere
}
