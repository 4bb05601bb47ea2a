//! `bench`: measures a database with jobs that do nothing.
//!
//! Everything happens in a schema of its own, which is removed afterwards, and is seen from the
//! outside: by the API that programs have.

mod plot;
mod probe;
mod progress;
mod report;
mod run;
mod server;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::ValueEnum;
use pgqueuer::{PgQueuer, SchemaName};
use serde::Serialize;

use crate::{exit::Failure, output::Output};
use report::Report;
use run::Bench;

/// Where it happens.
const SCHEMA: &str = "pgqueuer_bench";

/// Measures this database: how fast it is as a queue, and what a job costs.
///
/// Uses the schema `pgqueuer_bench`, whatever --schema says, and removes it afterwards. WAL and
/// commits are those of the whole server or database, so nothing else should be running there.
/// A job does nothing: what is measured is the queue.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub(crate) struct BenchArgs {
    /// What to measure [default: all of it].
    #[arg(value_enum, value_name = "TEST")]
    #[serde(skip)]
    tests: Vec<Test>,

    /// How often to measure each; the table has the medians.
    #[arg(long, value_name = "N", default_value = "3")]
    runs: NonZeroU32,

    /// How many jobs `enqueue` and `drain` take.
    #[arg(long, value_name = "N", default_value = "50000", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    jobs: u32,

    /// How many jobs are enqueued by one call.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,

    /// How many bytes the arguments of a job have, about.
    #[arg(long, value_name = "BYTES", default_value = "32", value_parser = clap::value_parser!(u32).range(0..=16_777_216))]
    payload: u32,

    /// How long `sustain` and `burst` take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "seconds")]
    duration: Duration,

    /// How many jobs `latency` enqueues, 5 to 20 ms apart.
    #[arg(long, value_name = "N", default_value = "500", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    probes: u32,

    /// How many connections `burst` enqueues over.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    producers: u32,

    /// How many jobs the worker runs at a time.
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,

    /// How many jobs the worker claims in one statement.
    #[arg(long, value_name = "N", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    claim_batch: u32,

    /// How many results the worker writes in one statement.
    #[arg(long, value_name = "N", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    settle_batch: u32,

    /// Keep no record of finished jobs.
    #[arg(long)]
    no_history: bool,

    /// Draw the results into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    plot: Option<PathBuf>,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Test {
    /// Enqueueing from one connection, many jobs a call.
    Enqueue,
    /// Running a backlog, from the start of the worker until all results are written.
    Drain,
    /// Enqueueing and running at the same time.
    Sustain,
    /// From the call that enqueues one job until an idle worker runs it.
    Latency,
    /// Enqueueing one job a call, as fast as many connections can, and running them.
    Burst,
}

impl Test {
    /// What one bar of the progress counts to; 0 if that is not known.
    fn jobs(self, args: &BenchArgs) -> u64 {
        match self {
            Self::Enqueue | Self::Drain => args.jobs.into(),
            Self::Latency => args.probes.into(),
            Self::Sustain | Self::Burst => 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Enqueue => "enqueue",
            Self::Drain => "drain",
            Self::Sustain => "sustain",
            Self::Latency => "latency",
            Self::Burst => "burst",
        }
    }
}

pub(super) async fn run(
    pgq: &PgQueuer,
    mut args: BenchArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if args.tests.is_empty() {
        args.tests = Test::value_variants().to_vec();
    }
    let schema = SchemaName::parse(SCHEMA)?;
    let Some(pool) = pgq.pool() else {
        return Err(Failure::refused("a queue in memory is not worth measuring"));
    };
    let options = pool.connect_options().as_ref().clone();
    let bench = Bench::new(options, schema, args.clone()).await?;
    if bench.queue().installed_version().await?.is_some() {
        return Err(Failure::refused(format!(
            "schema \"{SCHEMA}\" is there already: another benchmark is running, or was killed; \
             `pgq uninstall --schema {SCHEMA} --delete-jobs --yes` removes it"
        )));
    }

    let measured = tokio::select! {
        measured = bench.run_all() => measured,
        _ = tokio::signal::ctrl_c() => Err(Failure::refused("interrupted; nothing is left behind")),
    };
    let removed = bench.remove().await;
    let report = Report::new(bench.server().clone(), args.clone(), measured?);
    removed?;
    if let Some(file) = &args.plot {
        plot::draw(&report, file)?;
    }
    output.result(&report)
}
