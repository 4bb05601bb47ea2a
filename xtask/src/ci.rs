//! `cargo xtask ci`: everything that must pass before a change lands.
//!
//! No step sets `RUSTFLAGS`: other flags would build everything anew. What clippy warns of,
//! it is told to fail on; it reports rustc's warnings, too.

use std::time::{Duration, Instant};

use crate::{
    Result, fuzz,
    pgbouncer::PgBouncer,
    shell::{cargo, run as sh},
    test, tidy,
};

/// A step, and what it is called.
type Step = (&'static str, fn() -> Result);

const STEPS: [Step; 9] = [
    ("fmt", || sh(cargo(&["fmt", "--all", "--check"]))),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("test", || test::everything(&[])),
    ("fuzz", fuzz::check),
    ("pooler", pooler),
    ("doc", doc),
    ("package", package),
    ("deny", deny),
];

/// Runs the steps that are named, or all of them.
pub(crate) fn run(only: &[String]) -> Result {
    let is_step = |name: &String| STEPS.iter().any(|(step, _)| step == name);
    if let Some(unknown) = only.iter().find(|it| !is_step(it)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no step is called {unknown}: {}", names.join(", ")));
    }
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|it| it == name);

    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut failed = None;
    for (name, step) in STEPS.into_iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = step();
        times.push((name, start.elapsed()));
        if let Err(problem) = outcome {
            failed = Some((name, problem));
            break;
        }
    }
    eprintln!();
    for (name, time) in times {
        eprintln!("{name:8} {:6.1} s", time.as_secs_f64());
    }
    match failed {
        None => Ok(()),
        Some((name, problem)) => Err(format!("{problem}\nfailed: {name}")),
    }
}

fn clippy() -> Result {
    sh(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Every link resolves, and every item that needs one has a description.
fn doc() -> Result {
    let mut command = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--all-features",
        "--locked",
    ]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    sh(command)
}

/// All crates in one command: each alone would look for the others in the registry.
fn package() -> Result {
    let mut args = vec!["package", "--no-verify", "--allow-dirty", "--locked"];
    for name in [
        "pgqueuer",
        "pgqueuer-macros",
        "pgqueuer-cli",
        "pgqueuer-throwaway",
    ] {
        args.extend(["-p", name]);
    }
    sh(cargo(&args))
}

/// Not where there is no PgBouncer to be had: it has no packages for every system.
fn pooler() -> Result {
    if !PgBouncer::is_at_hand()? {
        eprintln!("skipped: PgBouncer is not installed");
        return Ok(());
    }
    test::behind_pgbouncer(&[])
}

fn deny() -> Result {
    if cargo(&["deny", "--version"])
        .output()
        .is_ok_and(|it| it.status.success())
    {
        return sh(cargo(&["deny", "check", "bans", "licenses", "sources"]));
    }
    eprintln!("skipped: cargo-deny is not installed (cargo install cargo-deny)");
    Ok(())
}
