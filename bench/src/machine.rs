//! The machine that measurements are made on.

use std::fs;
use std::thread;
use std::time::Duration;

/// Processor, cores and kernel, in one line.
pub fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("Machine: {}, {cores} cores, {os} {kernel}, {arch}.", processor())
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line =
            info.lines().find(|line| line.split(':').next().is_some_and(|f| f.trim() == name));
        line.and_then(|line| line.split(':').nth(1)).map(|value| value.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| "unknown processor".to_owned());
    match (field("cpu family"), field("model")) {
        (Some(family), Some(number)) => format!("{model} (family {family}, model {number})"),
        _ => model,
    }
}

/// CPU time that the machine has spent on anything at all since it started; zero where that
/// cannot be known.
pub fn busy_time() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let total = stat.lines().next().unwrap_or_default();
    // cpu user nice system idle iowait irq softirq steal ...
    let fields: Vec<u32> = total.split_whitespace().map(|n| n.parse().unwrap_or(0)).collect();
    TICK * [1, 2, 3, 6, 7, 8].into_iter().filter_map(|field| fields.get(field)).sum()
}
