//! A worker that sleeps through its lease, and wakes up to find that others have its jobs.

use std::{process::Stdio, time::Duration};

use pgqueuer::{FailureReason, Job as _, JobState};

use super::{
    BEGAN, SESSIONS, SOON, Stage, end_of,
    jobs::{CountMe, Nap, WaitToBeTold},
    send,
};

/// What `bin/test-worker.rs` has.
const LEASE: Duration = Duration::from_secs(3);

const NAPS: i64 = 20;

/// Those that the worker wakes up with: its naps are over, and the last one waits to be told.
const STALE: i64 = NAPS + 1;

const HISTORY: &str = "SELECT count(*) FROM pgqueuer.history";
const TOLD: &str = "SELECT count(*) FROM public.ran WHERE what = 'cancelled' AND attempt = 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_paused_past_its_lease_writes_nothing_of_it() {
    let stage = Stage::set().await;
    let sleeper = stage
        .worker_command(&["--format", "json", "--grace", "100ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let naps = (0..NAPS).map(|_| Nap {
        milliseconds: 1_000,
    });
    let naps = Nap::enqueue_many(&stage.pool, naps).await.unwrap();
    let waiting = WaitToBeTold {}.enqueue(&stage.pool).await.unwrap();
    stage.until(BEGAN, STALE, SOON).await;
    send("-STOP", &sleeper);
    let paused = tokio::time::Instant::now();

    let heir = stage.worker(&[]);
    stage.until(BEGAN, 2 * STALE, SOON).await;
    stage.until(HISTORY, NAPS, SOON).await;
    tokio::time::sleep_until(paused + 2 * LEASE).await;
    send("-CONT", &sleeper);

    // Its handlers are cancelled, and it goes on with another session.
    stage.until(TOLD, 1, SOON).await;
    stage.until(SESSIONS, 2, SOON).await;
    let held_by_heir = stage.pgq.get_job(waiting).await.unwrap().unwrap();
    assert_eq!(held_by_heir.state, JobState::Running);
    assert_eq!(held_by_heir.attempt, 2);
    send("-KILL", &heir);
    end_of(heir, SOON).await;
    CountMe { number: 1 }.enqueue(&stage.pool).await.unwrap();
    stage.until(HISTORY, NAPS + 1, SOON).await;

    // What it returned for the jobs that it had before was refused, and counted.
    send("-TERM", &sleeper);
    let output = tokio::time::timeout(SOON, sleeper.wait_with_output()).await;
    let output = output.expect("it does not stop").unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["lost"], &report["completed"]),
        (&STALE.into(), &1.into())
    );
    assert!(log.contains("the lease was lost"), "{log}");
    let warnings = log.lines().filter(|line| {
        line.contains("its result was refused") || line.contains("its result is dropped")
    });
    assert_eq!(warnings.count(), usize::try_from(STALE).unwrap(), "{log}");
    for id in naps {
        let job = stage.pgq.get_job(id).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempt), (JobState::Completed, 2));
        assert_eq!(job.failures[0].reason, FailureReason::Crash);
    }
}
