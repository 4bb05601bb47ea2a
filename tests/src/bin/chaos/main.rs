//! Chaos: workers that are killed, paused, stopped and cut off while the server restarts, and
//! a checker that reads afterwards what has become of every job. And how long it takes until
//! all is well again after a restart and after a crash.
//!
//! `cargo xtask chaos --help` tells how to run it. The workers are this program, too. It needs
//! signals and Unix sockets.
#![expect(
    clippy::print_stdout,
    reason = "it is a program, and tells what it saw"
)]
#![cfg_attr(not(unix), expect(unused, reason = "it does nothing there"))]

#[cfg(unix)]
mod checker;
#[cfg(unix)]
mod crash;
#[cfg(unix)]
mod director;
#[cfg(unix)]
mod fleet;
#[cfg(unix)]
mod jobs;
#[cfg(unix)]
mod ledger;
#[cfg(unix)]
mod load;
#[cfg(unix)]
mod producers;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod restarts;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod server;

use std::{env, error::Error, process::ExitCode, time::Duration};

use clap::Parser;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Makes everything fail at random, and checks that no job is lost, and none ends twice.
#[derive(Parser)]
#[command(name = "cargo xtask chaos")]
struct Args {
    /// For how long [default: 1].
    #[arg(long, conflicts_with = "seconds")]
    minutes: Option<u64>,

    /// For how long, if that is short.
    #[arg(long)]
    seconds: Option<u64>,

    /// What is left to chance is the same for the same seed, but for the time it takes
    /// [default: random].
    #[arg(long)]
    seed: Option<u64>,

    /// Measures instead how long a worker under load takes to recover from restarts of the
    /// server.
    #[arg(long, value_name = "N")]
    restarts: Option<u32>,

    /// Measures instead how long it takes until the jobs of a killed worker have run.
    #[arg(long, conflicts_with = "restarts")]
    crash: bool,
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("it needs signals and Unix sockets");
    ExitCode::FAILURE
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<ExitCode> {
    if env::args().nth(1).is_some_and(|it| it == "worker") {
        work().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    let (what, wrong) = if let Some(restarts) = args.restarts {
        ("restarts".to_owned(), restarts::measure(restarts).await?)
    } else if args.crash {
        ("crash".to_owned(), crash::measure().await?)
    } else {
        let seconds = args.seconds.unwrap_or(args.minutes.unwrap_or(1) * 60);
        let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        println!("seed {seed}, {seconds} s");
        let wrong = run::run(seed, Duration::from_secs(seconds)).await?;
        (format!("seed {seed}"), wrong)
    };
    for problem in &wrong {
        println!("WRONG: {problem}");
    }
    if wrong.is_empty() {
        println!("{what}: all is well");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{what}: {} things are wrong", wrong.len());
    Ok(ExitCode::FAILURE)
}

/// One worker.
#[cfg(unix)]
async fn work() -> Result {
    let options: PgConnectOptions = env::var("DATABASE_URL")?.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(6)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options);
    let ledger = ledger::Ledger {
        pool,
        worker: env::var("CHAOS_WORKER").unwrap_or_default(),
        is_narrow: env::var("CHAOS_NARROW").is_ok_and(|it| it == "true"),
    };
    let lease: Option<u64> = env::var("CHAOS_LEASE")
        .ok()
        .map(|it| it.parse())
        .transpose()?;
    pgqueuer_tests::program::end_with_parent();
    load::tell_count();
    pgqueuer_cli::App::new()
        .state(ledger)
        .configure(move |worker| match lease {
            Some(seconds) => worker.lease(Duration::from_secs(seconds)),
            None => worker,
        })
        .run()
        .await?;
    Ok(())
}
