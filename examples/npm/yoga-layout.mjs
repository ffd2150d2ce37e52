// A layout engine in C++, by Emscripten's embind and with emmalloc. Its nodes have to be freed; "leak" forgets the trees.
import Yoga from "yoga-layout";

let width = 0;
for (let time = 0; time < 40; time++) {
  const root = Yoga.Node.create();
  root.setFlexDirection(Yoga.FLEX_DIRECTION_ROW);
  root.setWidth(300);
  for (let child = 0; child < 3; child++) {
    const node = Yoga.Node.create();
    node.setFlexGrow(1);
    root.insertChild(node, child);
  }
  root.calculateLayout(undefined, undefined);
  width += root.getChild(1).getComputedWidth();
  if (process.argv[2] !== "leak") root.freeRecursive();
}
console.log(width);
