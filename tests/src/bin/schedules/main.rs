//! Schedules under strain: twenty that tick each second, and workers as processes that are killed
//! and started at random, now and then all of them for ten slots. Afterwards the database says
//! whether each slot had its job.
//!
//! `cargo xtask schedules --help` tells how to run it. The workers are this program, too. It needs
//! signals.
#![expect(
    clippy::print_stdout,
    reason = "it is a program, and tells what it saw"
)]
#![cfg_attr(not(unix), expect(unused, reason = "it does nothing there"))]

#[cfg(unix)]
mod check;
#[cfg(unix)]
mod fleet;
#[cfg(unix)]
mod jobs;

use std::{env, process::ExitCode, time::Duration};

use clap::Parser;
use pgqueuer_tests::program::{Result, verdict};

/// Kills the workers of twenty schedules at random, and looks for slots without a job, or with two.
#[derive(Parser)]
#[command(name = "cargo xtask schedules")]
struct Args {
    /// For how long workers are killed, in seconds.
    #[arg(long, default_value_t = 300)]
    seconds: u64,

    /// How many workers there are.
    #[arg(long, default_value_t = 4)]
    workers: usize,

    /// How many schedules there are.
    #[arg(long, default_value_t = 20)]
    schedules: usize,

    /// For the order of things [default: another one each time].
    #[arg(long)]
    seed: Option<u64>,
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
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..10_000));
    fastrand::seed(seed);
    println!("seed {seed}");
    let mut fleet = fleet::Fleet::start(args.workers, args.schedules).await?;
    fleet
        .kill_at_random(Duration::from_secs(args.seconds))
        .await?;
    fleet.stop_all_for_ten_slots().await?;
    fleet.come_to_rest().await?;
    let wrong = check::check(&fleet).await?;
    Ok(verdict(&wrong))
}
