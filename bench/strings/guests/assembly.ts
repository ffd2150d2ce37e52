// The same as guest.c, where strings are the runtime's own: UTF-16, with a length, and collected.

let text: string = "";

export function first(given: string): i32 {
  return given.length == 0 ? 0 : given.charCodeAt(0);
}

export function keep(given: string): void {
  text = given;
}

export function kept(): string {
  return text;
}

export function copy(): string {
  const size = text.length << 1;
  const copied = __new(size, idof<string>());
  memory.copy(copied, changetype<usize>(text), size);
  return changetype<string>(copied);
}
