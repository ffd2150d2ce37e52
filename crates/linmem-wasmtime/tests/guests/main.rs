//! Every guest's report, to the last number.
//!
//! - [`table`]: what each guest's report must say
//! - [`examples`]: the guests as they are built from `examples`, stripped and optimised too
//! - [`reactor`]: exports called one by one, with reports between the calls
//! - [`small`]: what no compiler's output shows, in guests of a few lines
//! - [`checks`]: what the host reads and writes, where accesses are checked
//! - [`limits`]: short memory, chosen failures, too little time, missing imports

#[path = "../side_by_side/binary.rs"]
mod binary;
mod checks;
mod examples;
mod limits;
mod reactor;
mod small;
#[path = "../support/mod.rs"]
mod support;
mod table;
