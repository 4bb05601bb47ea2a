//! `cargo xtask`: what a developer of pgqueuer runs. Nothing to install but Rust.

mod bless;
mod chaos;
mod ci;
mod fuzz;
mod pgbouncer;
mod postgres;
mod promtool;
mod shell;
mod test;
mod tidy;

use std::{env, process::ExitCode};

const HELP: &str = "\
cargo xtask test [--postgres 14,16,18] [FILTER…]   all tests; finds or fetches a PostgreSQL
cargo xtask test --pgbouncer [FILTER…]             the conformance suite, through PgBouncer in transaction mode
cargo xtask chaos [--minutes 30] [--seed N]        everything fails at random, and a checker looks for lost jobs
cargo xtask limits [TRIAL…]                         workers that are killed try to break limits; what limits cost
cargo xtask schedules [--seconds 300]               workers of schedules are killed; each slot must have its job
cargo xtask waits [TRIAL…]                          10,000 wait for results over one connection that is cut; how soon one comes
cargo xtask looks [TRIAL…]                          what looking at a queue costs: with millions of jobs, and beside workers
cargo xtask fuzz [--minutes 10] [TARGET…]          any input whatever, for as long as one likes
cargo xtask tidy                                   the rules that no compiler checks
cargo xtask bless                                  rewrites what tests compare with
cargo xtask ci [STEP…]                             everything that must pass before a change lands";

/// What went wrong, for a person.
type Result<T = ()> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &args[..]),
    };
    let outcome = match command {
        "test" => test::run(rest),
        "tidy" => tidy::run(),
        "chaos" | "limits" | "schedules" | "waits" | "looks" => chaos::run(command, rest),
        "fuzz" => fuzz::run(rest),
        "bless" => bless::run(),
        "ci" => ci::run(rest),
        "help" | "-h" | "--help" => {
            eprintln!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no `cargo xtask {other}`\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
