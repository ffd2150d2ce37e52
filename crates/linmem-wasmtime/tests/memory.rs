//! What a session holds does not depend on how much was recorded in it.

use linmem_wasmtime::{Run, Val};
use peak_alloc::PeakAlloc;

/// Counts what is allocated.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// An allocator that hands out the same block again and again.
const GUEST: &str = r#"(module
    (memory (export "memory") 1)
    (func $malloc (export "malloc") (param i32) (result i32) i32.const 4096)
    (func $free (export "free") (param i32))
    (func (export "work") (param $times i32)
      (loop $again
        (call $free (call $malloc (i32.const 100)))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times)))))"#;

/// Megabytes that a session allocates at most meanwhile, beyond what it had before.
fn peak_of(calls: u64, times: i32) -> f32 {
    let wasm = wat::parse_str(GUEST).unwrap();
    let mut session = Run::new(&wasm).unwrap().start().unwrap();
    session.call("work", &[Val::I32(1)]).unwrap();
    let before = MEMORY.current_usage_as_mb();
    MEMORY.reset_peak_usage();
    for _ in 0..calls {
        session.call("work", &[Val::I32(times)]).unwrap();
    }
    assert_eq!(session.totals().unwrap().frees, calls * times as u64 + 1);
    MEMORY.peak_usage_as_mb() - before
}

/// Four million events are 20 MB of recording. What is remembered of freed blocks has a bound, which
/// 200,000 frees reach.
#[test]
fn a_session_does_not_keep_its_recording() {
    const MOST_MEGABYTES: f32 = 1.0;
    let few = peak_of(20_000, 10);
    for (calls, times) in [(200_000, 10), (1, 2_000_000)] {
        let many = peak_of(calls, times);
        assert!(many < few + MOST_MEGABYTES, "{calls} calls of {times}: {many} MB, not {few}");
    }
}
