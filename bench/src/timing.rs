//! Repeated measurements of the same thing.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

/// One measurement per round.
#[derive(Default, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds a round.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The shortest.
    pub fn min(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    /// The ratio of the shortest times; not a number if there are none.
    pub fn ratio_of_min(&self, base: &Times) -> f64 {
        self.min().as_secs_f64() / base.min().as_secs_f64()
    }

    /// The median, over the rounds, of the ratio within a round: what slows the machine down for
    /// longer than a round slows both sides.
    pub fn median_ratio(&self, base: &Times) -> f64 {
        let rounds = self.0.iter().zip(&base.0);
        median(rounds.map(|(time, base)| time.as_secs_f64() / base.as_secs_f64()).collect())
    }

    /// The median.
    pub fn median(&self) -> Duration {
        Duration::from_secs_f64(median(self.0.iter().map(Duration::as_secs_f64).collect()))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (len, middle) if len % 2 == 1 => values[middle],
        (_, middle) => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// How much CPU time this thread spends in `work`, with what that returns. Other processes that
/// want the core do not count, unlike in [`timed`].
pub fn cpu_timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = ThreadTime::now();
    let result = work();
    (result, start.elapsed())
}

/// How long `work` takes, with what it returns.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
