//! Child processes: how long they take, how much memory they need, what they say.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use crate::machine;

/// How much of one core other processes may take before a measurement counts as disturbed.
const DISTURBED: f64 = 0.05;

/// What clock ticks make of short measurements: their CPU time is known no better than this.
const TICKS: Duration = Duration::from_millis(20);

/// A process that has ended well.
pub struct Ended {
    /// From before it was started to after it had ended.
    pub time: Duration,
    /// CPU time of all its threads.
    pub cpu_time: Duration,
    /// Whether other processes kept a core from it, or may have.
    pub disturbed: bool,
    /// The most memory it had in use.
    pub peak_rss_bytes: u64,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs a command to its end; its stdout goes nowhere. Exit code 1 is fine: `linmem run` has
/// found something, if only that a program leaves its arguments allocated.
pub fn run(command: &mut Command) -> Result<Ended> {
    let busy_before = machine::busy_time();
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut stderr = Vec::new();
    if let Some(pipe) = &mut child.stderr {
        pipe.read_to_end(&mut stderr)?;
    }
    let used = child.wait4()?;
    let time = start.elapsed();
    let cpu_time = used.rusage.utime + used.rusage.stime;
    let others = (machine::busy_time() - busy_before).saturating_sub(cpu_time);
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    match used.status.code() {
        Some(0 | 1) => Ok(Ended {
            time,
            cpu_time,
            disturbed: others > time.mul_f64(DISTURBED) + TICKS,
            peak_rss_bytes: used.rusage.maxrss,
            stderr,
        }),
        _ => bail!("{command:?} ended with {}: {stderr}", used.status),
    }
}
