//! `cargo xtask fuzz`: any input whatever, for as long as one likes.
//!
//! libFuzzer needs the code compiled with counters on its branches. `cargo fuzz` asks a nightly
//! compiler for that; the same passes of LLVM are there in the stable one, by these flags. What
//! nightly would add is the address sanitizer, which finds nothing in code without `unsafe`.

use std::{fs, path::Path};

use crate::{Result, shell, test::Server};

/// What is fuzzed by libFuzzer, and how long its inputs get.
const TARGETS: [(&str, u32); 3] = [("payload", 4096), ("cron", 200), ("attributes", 2000)];

/// A test of the suite that goes on for as long as it is told: its inputs go to the server.
const ENQUEUE: &str = "enqueue";

/// Without `--cfg fuzzing`, under which crates behave otherwise: `proc-macro2` forgets all places.
const FLAGS: &str = "-Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(args: &[String]) -> Result {
    let (minutes, wanted) = parse(args)?;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    for (target, max_len) in TARGETS.into_iter().filter(|(name, _)| is_wanted(name)) {
        fuzz(target, max_len, minutes)?;
    }
    if is_wanted(ENQUEUE) {
        call_in_sql(minutes)?;
    }
    Ok(())
}

/// That the targets compile. They are no members of the workspace, so nothing else does it.
pub(crate) fn check() -> Result {
    shell::run(shell::cargo(&[
        "check",
        "--locked",
        "--manifest-path=tests/fuzz/Cargo.toml",
    ]))
}

/// Minutes for each target, and which targets; all, if none is named.
fn parse(args: &[String]) -> Result<(u32, Vec<String>)> {
    let mut minutes = 10;
    let mut wanted = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--minutes" {
            let number = args.next().and_then(|it| it.parse().ok());
            minutes = number.ok_or("--minutes needs a number: --minutes 10")?;
        } else if arg == ENQUEUE || TARGETS.iter().any(|(name, _)| name == arg) {
            wanted.push(arg.clone());
        } else {
            let names = TARGETS.map(|(name, _)| name).join(", ");
            return Err(format!("there is no fuzz target {arg}: {names}, {ENQUEUE}"));
        }
    }
    Ok((minutes, wanted))
}

fn fuzz(target: &str, max_len: u32, minutes: u32) -> Result {
    let host = host()?;
    let mut cargo = shell::cargo(&[
        "run",
        "--release",
        "--locked",
        "--manifest-path=tests/fuzz/Cargo.toml",
        // Named, so that the flags are not for macros and build scripts, which run in the compiler.
        "--target",
        &host,
        "--bin",
        target,
        "--",
    ]);
    // Inputs that were found worth keeping, for the next time; and those to begin with.
    let corpus = Path::new("tests/fuzz/target/corpus").join(target);
    let made = fs::create_dir_all(shell::root().join(&corpus));
    made.map_err(|error| format!("cannot make {}: {error}", corpus.display()))?;
    cargo.arg(corpus).arg(format!("tests/fuzz/seeds/{target}"));
    cargo.args([
        &format!("-max_total_time={}", u64::from(minutes) * 60),
        &format!("-max_len={max_len}"),
        // Seconds for one input: a hang is a fault, too.
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        "-artifact_prefix=tests/fuzz/target/",
    ]);
    cargo.env("RUSTFLAGS", FLAGS);
    shell::run(cargo)
}

/// What this machine is to the compiler.
fn host() -> Result<String> {
    let about = shell::output(shell::program("rustc", &["-vV"]))?;
    let host = about.lines().find_map(|it| it.strip_prefix("host: "));
    let host = host.ok_or("`rustc -vV` does not say what the host is")?;
    Ok(host.to_owned())
}

fn call_in_sql(minutes: u32) -> Result {
    let mut cargo = Server::any()?.cargo(&[
        "test",
        "--locked",
        "--all-features",
        "-p",
        "pgqueuer-tests",
        "--test",
        "suite",
        "--",
        "any_call",
        "--nocapture",
    ]);
    cargo.env("PGQUEUER_FUZZ_MINUTES", minutes.to_string());
    shell::run(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_targets_are_told_apart() {
        let parsed = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parse(&args)
        };
        assert_eq!(parsed("").unwrap(), (10, vec![]));
        let cron = vec!["cron".to_owned()];
        assert_eq!(parsed("--minutes 3 cron").unwrap(), (3, cron));
        assert!(parsed("--minutes").is_err());
        assert!(parsed("corn").unwrap_err().contains("payload, cron"));
    }
}
