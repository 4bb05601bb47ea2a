//! Waiting for results under strain: how soon after the end of a handler its result is there, and
//! whether ten thousand who wait all get theirs over one connection that is cut again and again.
//!
//! `cargo xtask waits --help` tells how to run it. The worker of the crowd is this program, too.
#![expect(
    clippy::print_stdout,
    reason = "it is a program, and tells what it saw"
)]

mod crowd;
mod jobs;
mod latency;
mod stage;

use std::{env, process::ExitCode};

use clap::{Parser, ValueEnum};
use pgqueuer_tests::program::{Result, verdict};

/// Waits for results, and says what it saw.
#[derive(Parser)]
#[command(name = "cargo xtask waits")]
struct Args {
    /// What to try [default: all].
    trials: Vec<Trial>,

    /// How many wait at once.
    #[arg(long, default_value_t = 10_000)]
    waiters: i64,

    /// How often they do.
    #[arg(long, default_value_t = 20)]
    rounds: u32,

    /// How many are waited for one by one.
    #[arg(long, default_value_t = 500)]
    jobs: u32,

    /// For the order of things [default: another one each time].
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Trial {
    /// How long after the end of a handler whoever waits has its result, on an idle system.
    Latency,
    /// Many who wait, while the connection that they share is cut at random.
    Crowd,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    if env::args().nth(1).is_some_and(|it| it == "worker") {
        jobs::work().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..10_000));
    fastrand::seed(seed);
    println!("seed {seed}");
    let is_wanted = |trial| args.trials.is_empty() || args.trials.contains(&trial);
    let mut wrong = Vec::new();
    if is_wanted(Trial::Latency) {
        wrong.extend(latency::measure(args.jobs).await?);
    }
    if is_wanted(Trial::Crowd) {
        wrong.extend(crowd::wait(args.waiters, args.rounds).await?);
    }
    Ok(verdict(&wrong))
}
