// Places queens on a board, with Z3 in a thread of its own: an Emscripten program with pthreads.
import { init } from "z3-solver";

const size = Number(process.argv[2] ?? 9);
const { Context, em } = await init();
const { Distinct, Int, Solver } = new Context("queens");
const queens = Array.from({ length: size }, (_, row) => Int.const(`q${row}`));
const solver = new Solver();
for (const queen of queens) solver.add(queen.ge(0), queen.lt(size));
solver.add(Distinct(...queens));
solver.add(Distinct(...queens.map((queen, row) => queen.add(row))));
solver.add(Distinct(...queens.map((queen, row) => queen.sub(row))));
console.log(await solver.check());
em.PThread.terminateAllThreads();
