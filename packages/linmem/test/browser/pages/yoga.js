// Trees of an embind module, which have to be freed; "?leak" forgets them.
import Yoga from "/node_modules/yoga-layout/dist/src/index.js";
import { done } from "./done.js";

for (let time = 0; time < 40; time++) {
  const root = Yoga.Node.create();
  root.setWidth(300);
  root.calculateLayout(undefined, undefined);
  if (location.search !== "?leak") root.free();
}
await done();
