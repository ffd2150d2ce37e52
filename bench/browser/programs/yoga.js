// Lays out trees of boxes: every node is made, set up, measured and freed through embind.
export async function load() {
  const { default: Yoga, Direction, FlexDirection } = await import("/packages/yoga-layout/dist/src/index.js");
  return (rounds) => {
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      const root = Yoga.Node.create();
      root.setFlexDirection(FlexDirection.Row);
      root.setWidth(1000 + round);
      for (let column = 0; column < 40; column++) {
        const box = Yoga.Node.create();
        box.setFlexGrow(1 + (column % 3));
        for (let row = 0; row < 25; row++) {
          const cell = Yoga.Node.create();
          cell.setHeight(10 + row);
          cell.setMargin(8, 1);
          box.insertChild(cell, row);
        }
        root.insertChild(box, column);
      }
      root.calculateLayout(undefined, undefined, Direction.LTR);
      for (let column = 0; column < 40; column++) sum += root.getChild(column).getComputedWidth();
      root.freeRecursive();
    }
    return Math.round(sum);
  };
}
