// Z3 in C++, compiled by Emscripten with pthreads and with its names. The check runs in a thread of its own; all contexts
// are deleted.
import { init } from "z3-solver";

const { Z3, em } = await init();

function newContext() {
  const config = Z3.mk_config();
  const context = Z3.mk_context(config);
  Z3.del_config(config);
  return context;
}

for (let time = 0; time < 5; time++) Z3.del_context(newContext());
const context = newContext();
const solver = Z3.mk_solver(context);
Z3.solver_inc_ref(context, solver);
console.log(await Z3.solver_check(context, solver));
Z3.solver_dec_ref(context, solver);
Z3.del_context(context);
// The thread frees its stack when it is back in the pool.
await new Promise((over) => setTimeout(over, 200));
em.PThread.terminateAllThreads();
