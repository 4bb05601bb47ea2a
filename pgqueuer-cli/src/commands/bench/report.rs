//! What came of it, for people and for programs.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    BenchArgs, Test,
    server::{Cost, Server},
};
use crate::table;

/// The whole result.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pgqueuer: &'static str,
    server: Server,
    settings: BenchArgs,
    pub(super) tests: Vec<Measured>,
}

/// One test, and its runs in order.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) test: Test,
    pub(super) runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
pub(super) struct Run {
    jobs: u64,
    seconds: f64,
    jobs_per_second: f64,
    #[serde(flatten)]
    pub(super) pickup: Option<Percentiles>,
    per_job: Cost,
    /// Seconds since the beginning, and how many jobs were done by then.
    #[serde(skip)]
    pub(super) series: Vec<(f64, u64)>,
}

/// How long it took from the call that enqueues until the handler began, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// Percentile and milliseconds, for the plot.
    #[serde(skip)]
    pub(super) curve: Vec<(f64, f64)>,
}

impl Percentiles {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds, for people")]
    pub(super) fn of(pickups: &Histogram<u64>) -> Self {
        let at = |percentile: f64| pickups.value_at_quantile(percentile / 100.0) as f64 / 1e6;
        Self {
            p50_ms: at(50.0),
            p95_ms: at(95.0),
            p99_ms: at(99.0),
            max_ms: pickups.max() as f64 / 1e6,
            curve: (0..=1000)
                .map(|it| f64::from(it) / 10.0)
                .map(|it| (it, at(it)))
                .collect(),
        }
    }
}

impl Measured {
    pub(super) fn new(test: Test) -> Self {
        Self {
            test,
            runs: Vec::new(),
        }
    }
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "a number of jobs, for a rate")]
    pub(super) fn new(
        pickup: &Option<Percentiles>,
        jobs: u64,
        seconds: f64,
        per_job: Cost,
        series: Vec<(f64, u64)>,
    ) -> Self {
        Self {
            jobs,
            seconds,
            jobs_per_second: jobs as f64 / seconds,
            pickup: pickup.clone(),
            per_job,
            series,
        }
    }
}

impl Report {
    pub(super) fn new(server: Server, settings: BenchArgs, tests: Vec<Measured>) -> Self {
        Self {
            pgqueuer: env!("CARGO_PKG_VERSION"),
            server,
            settings,
            tests,
        }
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// With commas between thousands.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server {
            version,
            fsync,
            synchronous_commit,
            shared_buffers,
        } = &self.server;
        writeln!(
            f,
            "pgqueuer {} on PostgreSQL {version}; fsync {fsync}, synchronous_commit \
             {synchronous_commit}, shared_buffers {shared_buffers}",
            self.pgqueuer
        )?;
        writeln!(f, "medians of {} runs\n", self.settings.runs)?;
        let row = |it: &Measured| {
            let of = |value: &dyn Fn(&Run) -> Option<f64>| median(it.runs.iter().filter_map(value));
            let cell = |value: Option<f64>, decimals: usize| {
                value.map_or_else(String::new, |it| format!("{it:.decimals$}"))
            };
            let pickup =
                |value: fn(&Percentiles) -> f64| cell(of(&|run| run.pickup.as_ref().map(value)), 2);
            // The rate of `latency` is how often it asks.
            let rate = of(&|run| Some(run.jobs_per_second)).filter(|_| it.test != Test::Latency);
            vec![
                it.test.name().to_owned(),
                rate.map(grouped).unwrap_or_default(),
                pickup(|it| it.p50_ms),
                pickup(|it| it.p95_ms),
                pickup(|it| it.p99_ms),
                pickup(|it| it.max_ms),
                cell(of(&|run| Some(run.per_job.wal_bytes)), 0),
                cell(of(&|run| Some(run.per_job.commits)), 4),
                cell(of(&|run| run.per_job.round_trips), 4),
                cell(of(&|run| run.per_job.server_cpu_us), 1),
                cell(of(&|run| run.per_job.client_cpu_us), 1),
            ]
        };
        let rows: Vec<Vec<String>> = self.tests.iter().map(row).collect();
        let titles = [
            "test",
            "jobs/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "max ms",
            "WAL bytes",
            "commits",
            "round trips",
            "server us",
            "client us",
        ];
        writeln!(f, "{}", table::render(&titles, &rows))?;
        write!(
            f,
            "\np50 to max: from the call that enqueues to the handler. WAL bytes to client us \
             (microseconds of processor time): for one job."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        let of = |values: &[f64]| median(values.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn thousands_are_grouped() {
        let grouped = [0.4, 999.0, 1000.0, 1_234_567.0].map(grouped);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}
