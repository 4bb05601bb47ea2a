//! `cargo xtask chaos`: what `tests/src/bin/chaos` does, on whatever machine.

use crate::{Result, shell, test::Server};

pub(crate) fn run(args: &[String]) -> Result {
    let mut cargo = vec![
        "run",
        "--locked",
        "-p",
        "pgqueuer-tests",
        "--all-features",
        "--bin",
        "chaos",
        "--",
    ];
    cargo.extend(args.iter().map(String::as_str));
    shell::run(Server::any()?.cargo(&cargo))
}
