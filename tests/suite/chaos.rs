//! A short run of what `cargo xtask chaos` does for as long as you like.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

/// Far longer than it takes, for machines that are slow or busy.
const DEADLINE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn no_job_is_lost_and_none_ends_twice() {
    let running = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["--seconds", "20", "--seed", "4"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(DEADLINE, running).await;
    let output = ended.expect("it takes far too long").unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaints}");
}
