// Places queens on a board, with Z3 in a thread of its own: an Emscripten program with pthreads.
import { init } from "z3-solver";

const size = Number(process.argv[2] ?? 9);
const t0=performance.now(); const T=(w)=>console.error(w,(performance.now()).toFixed(0));T("start");
const { Context, em } = await init();
T("init");
const { Distinct, Int, Solver } = new Context("queens");
const queens = Array.from({ length: size }, (_, row) => Int.const(`q${row}`));
const solver = new Solver();
for (const queen of queens) solver.add(queen.ge(0), queen.lt(size));
solver.add(Distinct(...queens));
solver.add(Distinct(...queens.map((queen, row) => queen.add(row))));
solver.add(Distinct(...queens.map((queen, row) => queen.sub(row))));
T("built"); console.log(await solver.check()); T("checked");
em.PThread.terminateAllThreads();
T("end"); process.on("exit",()=>T("exit"));
