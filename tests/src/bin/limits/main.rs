//! Limits under strain: workers as processes that claim at the same moment and are killed, and a
//! log of when handlers began and ended, which says whether a limit was ever passed. And what
//! limits cost those who have none.
//!
//! `cargo xtask limits --help` tells how to run it. The workers are this program, too. It needs
//! signals.
#![expect(
    clippy::print_stdout,
    reason = "it is a program, and tells what it saw"
)]
#![cfg_attr(not(unix), expect(unused, reason = "it does nothing there"))]

#[cfg(unix)]
mod concurrency;
#[cfg(unix)]
mod cost;
#[cfg(unix)]
mod fleet;
#[cfg(unix)]
mod jobs;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod pace;
#[cfg(unix)]
mod rate;

use std::{env, process::ExitCode};

use clap::{Parser, ValueEnum};
use pgqueuer_tests::program::{Result, verdict};

/// Tries to break limits, and says what it saw.
#[derive(Parser)]
#[command(name = "cargo xtask limits")]
struct Args {
    /// What to try [default: all but the cost].
    trials: Vec<Trial>,

    /// A tenth of it, for a test.
    #[arg(long)]
    short: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Trial {
    /// How long 200 jobs of 50 ms take, two at a time, with four workers.
    Pace,
    /// 10,000 jobs, three at a time, with eight workers that are killed at random.
    Concurrency,
    /// The same with 1,000 keys, three of each at a time.
    Keys,
    /// 200 a second for 30 seconds, with eight workers.
    Rate,
    /// What a limited kind with a million waiting jobs costs the others.
    Cost,
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("it needs signals");
    ExitCode::FAILURE
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<ExitCode> {
    if env::args().nth(1).is_some_and(|it| it == "worker") {
        jobs::work().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut args = Args::parse();
    if args.trials.is_empty() {
        args.trials = vec![Trial::Pace, Trial::Concurrency, Trial::Keys, Trial::Rate];
    }
    let mut wrong = Vec::new();
    for trial in args.trials {
        wrong.extend(match trial {
            Trial::Pace => pace::measure().await?,
            Trial::Concurrency => concurrency::of_the_kind(args.short).await?,
            Trial::Keys => concurrency::of_each_key(args.short).await?,
            Trial::Rate => rate::measure(args.short).await?,
            Trial::Cost => cost::measure(args.short).await?,
        });
    }
    Ok(verdict(&wrong))
}
