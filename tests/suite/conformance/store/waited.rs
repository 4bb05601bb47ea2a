//! How long a job has waited when it is claimed: since it was due.

use std::time::Duration;

use pgqueuer::store::{JobToEnqueue, RunAt, Store};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, enqueue, eventually, expire, job, open_session, running_job,
    seconds_from_now, settle,
};

store_cases! {
    counts_from_when_it_was_enqueued,
    does_not_count_from_before_it_was_enqueued,
    does_not_count_until_it_was_due,
    counts_from_when_it_was_rescued,
    counts_from_when_its_session_was_closed,
}

const PAUSE: Duration = Duration::from_millis(300);

async fn waited(store: &dyn Store) -> Duration {
    let session = open_session(store).await;
    let claimed = eventually("the job can be claimed", async || {
        store.promote(100).await.unwrap();
        claim(store, session, &["mail"], 1).await.pop()
    })
    .await;
    claimed.waited
}

async fn counts_from_when_it_was_enqueued(store: &dyn Store) {
    enqueue(store, job("mail")).await;
    tokio::time::sleep(PAUSE).await;

    let waited = waited(store).await;

    assert!(waited >= PAUSE / 2 && waited < LONG, "{waited:?}");
}

async fn does_not_count_from_before_it_was_enqueued(store: &dyn Store) {
    let long_ago = seconds_from_now(store, -24 * 60 * 60).await;
    let late = JobToEnqueue {
        run_at: RunAt::At(long_ago),
        ..job("mail")
    };
    enqueue(store, late).await;

    let waited = waited(store).await;

    assert!(waited < LONG, "{waited:?}");
}

async fn does_not_count_until_it_was_due(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    tokio::time::sleep(PAUSE).await;
    settle(store, session, &[again(&job, Duration::from_millis(1))]).await;

    let waited = waited(store).await;

    // A machine that takes as long as the pause for two calls proves nothing.
    assert!(waited < PAUSE * 10, "{waited:?}");
}

async fn counts_from_when_it_was_rescued(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let due = crate::support::record(store, job.key.id).await.run_at;
    expire(store, session).await;

    eventually("the lease has run out", async || {
        (!store.rescue().await.unwrap().is_empty()).then_some(())
    })
    .await;

    let record = crate::support::record(store, job.key.id).await;
    assert!(record.run_at > due, "{record:?}");
}

async fn counts_from_when_its_session_was_closed(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let due = crate::support::record(store, job.key.id).await.run_at;

    store.close_session(session).await.unwrap();

    let record = crate::support::record(store, job.key.id).await;
    assert!(record.run_at > due, "{record:?}");
}
