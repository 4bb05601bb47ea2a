//! How long a job has waited when it is claimed: since it was due.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::store::{ClaimedJob, Holds, JobToEnqueue, RunAt, Store};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, enqueue, eventually, expire, job, open_session, record, running_job,
    seconds_from_now, settle,
};

store_cases! {
    counts_from_when_it_was_enqueued,
    does_not_count_from_before_it_was_enqueued,
    does_not_count_until_it_was_due,
    counts_from_when_it_was_rescued,
    counts_from_when_its_session_was_closed,
}

/// Claims the job that is there or will be due.
async fn next(store: &dyn Store) -> ClaimedJob {
    let session = open_session(store).await;
    eventually("the job can be claimed", async || {
        store.promote(100).await.unwrap();
        claim(store, session, &["mail"], 1).await.pop()
    })
    .await
}

/// How far what the claim says is from what the record says of it.
async fn deviation(store: &dyn Store, job: &ClaimedJob, since: DateTime<Utc>) -> TimeDelta {
    let claimed_at = record(store, job.key.id).await.claimed_at.unwrap();
    (claimed_at - since - TimeDelta::from_std(job.waited).unwrap()).abs()
}

async fn counts_from_when_it_was_enqueued(store: &dyn Store) {
    enqueue(store, job("mail")).await;
    tokio::time::sleep(Duration::from_millis(10)).await;

    let job = next(store).await;

    assert!(job.waited >= Duration::from_millis(5), "{job:?}");
    let deviation = deviation(store, &job, job.enqueued_at).await;
    assert!(deviation < TimeDelta::milliseconds(1), "{deviation}");
}

async fn does_not_count_from_before_it_was_enqueued(store: &dyn Store) {
    let long_ago = seconds_from_now(store, -24 * 60 * 60).await;
    let late = JobToEnqueue {
        run_at: RunAt::At(long_ago),
        ..job("mail")
    };
    enqueue(store, late).await;

    let job = next(store).await;

    assert!(job.waited < LONG, "{job:?}");
}

async fn does_not_count_until_it_was_due(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    let retry = again(&first, Duration::from_millis(20));
    settle(store, session, &[retry]).await;
    let due = record(store, first.key.id).await.run_at.unwrap();

    let job = next(store).await;

    let deviation = deviation(store, &job, due).await;
    assert!(deviation < TimeDelta::milliseconds(1), "{deviation}");
}

async fn counts_from_when_it_was_rescued(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let due = record(store, job.key.id).await.run_at;
    expire(store, session).await;

    eventually("the lease has run out", async || {
        (!store.rescue().await.unwrap().is_empty()).then_some(())
    })
    .await;

    let record = record(store, job.key.id).await;
    assert!(record.run_at > due, "{record:?}");
}

async fn counts_from_when_its_session_was_closed(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let due = record(store, job.key.id).await.run_at;

    store.close_session(session, Holds::Unsure).await.unwrap();

    let record = record(store, job.key.id).await;
    assert!(record.run_at > due, "{record:?}");
}
