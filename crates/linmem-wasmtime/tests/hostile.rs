//! Broken and hostile files: whatever the bytes, linmem answers with a result or with an error
//! that says something. It never panics, and its time and memory are in proportion to the file.

#[path = "side_by_side/binary.rs"]
mod binary;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/modules.rs"]
mod modules;
#[path = "hostile/traces.rs"]
mod traces;

use peak_alloc::PeakAlloc;

/// Counts what is allocated.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// More than any of these files needs, of which the largest has a megabyte.
const MODEST_MEGABYTES: f32 = 512.0;

/// Fails when a file has made linmem allocate out of proportion. Other tests run at the same
/// time, so the blame can fall on one of them.
fn assert_modest_memory() {
    let peak = MEMORY.peak_usage_as_mb();
    MEMORY.reset_peak_usage();
    assert!(peak < MODEST_MEGABYTES, "{peak} MB allocated");
}
