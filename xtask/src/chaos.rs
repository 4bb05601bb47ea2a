//! `cargo xtask chaos`, `limits`, `schedules`, `waits` and `looks`: what the programs of `tests/src/bin` do,
//! on whatever machine.

use crate::{Result, shell, test::Server};

pub(crate) fn run(program: &str, args: &[String]) -> Result {
    let mut cargo = vec![
        "run",
        "--locked",
        "-p",
        "pgqueuer-tests",
        "--all-features",
        "--bin",
        program,
    ];
    // It compares speeds.
    if program == "looks" {
        cargo.push("--release");
    }
    cargo.push("--");
    cargo.extend(args.iter().map(String::as_str));
    shell::run(Server::any()?.cargo(&cargo))
}
