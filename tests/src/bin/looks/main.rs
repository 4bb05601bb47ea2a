//! What looking costs: how long the views take on a queue with millions of jobs, and how much ten who look
//! all the time slow down the workers.
//!
//! `cargo xtask looks --help` tells how to run it. Those who look are this program, too.
#![expect(
    clippy::print_stdout,
    reason = "it is a program, and tells what it saw"
)]

mod beside;
mod large;

use std::{env, io, process::ExitCode};

use clap::{Parser, ValueEnum};
use pgqueuer_cli::App;
use pgqueuer_tests::program::{Result, end_with_parent, verdict};

/// Measures what looking at a queue costs.
#[derive(Parser)]
#[command(name = "cargo xtask looks")]
struct Args {
    /// What to try [default: all].
    trials: Vec<Trial>,

    /// How many jobs are available, and as many scheduled; there are ten times as many records of finished ones.
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u32,

    /// How many jobs each drain has, with and without those who look.
    #[arg(long, default_value_t = 500_000)]
    drained: u32,

    /// How many drains there are of both.
    #[arg(long, default_value_t = 12)]
    rounds: u32,

    /// How many look, once a second.
    #[arg(long, default_value_t = 10)]
    viewers: u32,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Trial {
    /// How long each view takes on a large queue.
    Large,
    /// What those who look cost the workers.
    Beside,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    if env::args().nth(1).is_some_and(|it| it == "view") {
        end_with_parent();
        let args = env::args().skip(1);
        App::new().try_run_from(args, &mut io::sink()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    let is_wanted = |trial| args.trials.is_empty() || args.trials.contains(&trial);
    let mut wrong = Vec::new();
    if is_wanted(Trial::Large) {
        wrong.extend(large::look(args.jobs).await?);
    }
    if is_wanted(Trial::Beside) {
        wrong.extend(beside::compare(args.drained, args.rounds, args.viewers).await?);
    }
    Ok(verdict(&wrong))
}
