//! A short run of what `cargo xtask schedules` does for minutes. How late ticks are is not judged.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

/// Far longer than it takes, for machines that are slow or busy.
const DEADLINE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn each_slot_has_its_job_when_workers_are_killed() {
    let running = Command::new(env!("CARGO_BIN_EXE_schedules"))
        .args(["--seconds", "10", "--schedules", "8"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(DEADLINE, running).await;
    let output = ended.expect("it takes far too long").unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaints}");
}
