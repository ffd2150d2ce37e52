// Builds a list of strings and drops it. `leak` pins the list, so that the collector keeps it.
class Item {
  constructor(public text: string, public next: Item | null) {}
}

function build(n: i32): Item | null {
  let list: Item | null = null;
  for (let i = 0; i < n; i++) list = new Item("item " + i.toString(), list);
  return list;
}

function length(list: Item | null): i32 {
  let n = 0;
  while (list) {
    n += list.text.length;
    list = list.next;
  }
  return n;
}

export function work(n: i32): i32 {
  return length(build(n));
}

export function leak(n: i32): i32 {
  const list = build(n);
  __pin(changetype<usize>(list));
  return length(list);
}
