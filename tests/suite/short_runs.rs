//! Short runs of what `cargo xtask chaos`, `limits`, `schedules` and `waits` do for as long as you like. How
//! long things take is not judged here.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

/// Far longer than it takes, for machines that are slow or busy.
const DEADLINE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_and_none_ends_twice() {
    let told = run(
        env!("CARGO_BIN_EXE_chaos"),
        &["--seconds", "20", "--seed", "4"],
    );
    assert_eq!(told.await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_passed_when_workers_are_killed() {
    let told = run(
        env!("CARGO_BIN_EXE_limits"),
        &["--short", "concurrency", "keys"],
    );
    assert_eq!(told.await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slot_has_its_job_when_workers_are_killed() {
    let told = run(
        env!("CARGO_BIN_EXE_schedules"),
        &["--seconds", "10", "--schedules", "8"],
    );
    assert_eq!(told.await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_wait_get_their_results_when_their_connection_is_cut() {
    let told = run(
        env!("CARGO_BIN_EXE_waits"),
        &["crowd", "--waiters", "2000", "--rounds", "3"],
    );
    assert_eq!(told.await, Ok(()));
}

/// What a program told, if it saw something wrong.
async fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let running = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(DEADLINE, running).await;
    let output = ended.expect("it takes far too long").unwrap();
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    Err(format!("{told}\n{complaints}"))
}
