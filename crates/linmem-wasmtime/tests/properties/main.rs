//! Random programs against simple models: every number equal.
//!
//! - [`programs`]: a C program that executes random heap operations, end to end
//! - [`leaks`]: random graphs of blocks, and which of them are lost

mod leaks;
mod programs;
#[path = "../support/mod.rs"]
mod support;

use proptest::test_runner::Config;

/// So many cases, unless `PROPTEST_CASES` asks for another number.
fn cases(number: u32) -> Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config { cases: number, ..Config::default() },
    }
}
