//! What a person should look at: jobs that are held, and what does not go on.

use std::time::Duration;

use pgqueuer::{
    Failure, FailureReason, Stale,
    store::{JobToEnqueue, RunAt, Settlement, Store},
};

use super::{
    super::store_cases,
    operate::{held_job, scheduled_job},
};
use crate::support::{
    LONG, claim, enqueue, expire, held, ids, job, open_session, record, running_job,
    seconds_from_now, settle, wait_until,
};

store_cases! {
    lists_held_jobs_with_their_last_failure,
    lists_what_has_waited_for_too_long,
    lists_what_is_scheduled_and_overdue,
    lists_what_runs_for_too_long_and_who_runs_it,
    lists_what_a_dead_session_has,
    lists_the_oldest_first,
    lists_nothing_when_all_is_well,
}

const NOT_AT_ALL: Duration = Duration::ZERO;

async fn stale(
    store: &dyn Store,
    waits: Duration,
    runs: Duration,
) -> Vec<(Stale, i64, Option<String>, bool)> {
    let listed = store.list_stale(waits, runs, 100).await.unwrap();
    let fields = listed
        .into_iter()
        .map(|it| (it.what, it.id, it.worker, it.is_lost));
    fields.collect()
}

/// Waits until what is due now is overdue.
async fn pass_a_moment(store: &dyn Store) {
    let now = store.now().await.unwrap();
    wait_until(store, now + chrono::TimeDelta::milliseconds(2)).await;
}

async fn lists_held_jobs_with_their_last_failure(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    let first = claimed.key.id;
    let failure = Failure::new(1, FailureReason::Panic, "x".repeat(2000));
    let failed = Settlement {
        failure: Some(failure),
        ..held(&claimed)
    };
    settle(store, session, &[failed]).await;
    let second = held_job(store, session, "report").await;
    enqueue(store, job("mail")).await;

    let listed = store.list_held(None, 10).await.unwrap();

    let found: Vec<_> = listed.iter().map(|it| it.id).collect();
    assert_eq!(found, [second, first]);
    assert_eq!((listed[0].reason, listed[0].message.as_str()), (None, ""));
    let last = record(store, first).await.failures.pop().unwrap();
    assert_eq!(
        (listed[1].reason, listed[1].attempt),
        (Some(FailureReason::Panic), 1)
    );
    assert_eq!(
        (listed[1].message.len(), listed[1].failed_at),
        (1000, last.failed_at)
    );
    let mail = ["mail".to_owned()];
    let listed = store.list_held(Some(&mail), 10).await.unwrap();
    assert_eq!(listed[0].id, first);
    assert_eq!(store.list_held(None, 1).await.unwrap().len(), 1);
}

async fn lists_what_has_waited_for_too_long(store: &dyn Store) {
    let waiting = enqueue(store, job("mail")).await;
    scheduled_job(store).await;
    pass_a_moment(store).await;

    let listed = store.list_stale(NOT_AT_ALL, LONG, 10).await.unwrap();

    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].what, listed[0].id),
        (Stale::Waiting, waiting.as_i64())
    );
    assert_eq!(listed[0].kind, "mail");
    assert!(!listed[0].is_attended);
    open_session(store).await;
    let listed = store.list_stale(NOT_AT_ALL, LONG, 10).await.unwrap();
    assert!(listed[0].is_attended);
}

async fn lists_what_is_scheduled_and_overdue(store: &dyn Store) {
    let soon = JobToEnqueue {
        run_at: RunAt::After(Duration::from_millis(50)),
        ..job("mail")
    };
    let overdue = enqueue(store, soon).await;
    let due = record(store, overdue).await.run_at.unwrap();
    wait_until(store, due + chrono::TimeDelta::milliseconds(2)).await;

    let expected = (Stale::Overdue, overdue.as_i64(), None, false);
    assert_eq!(stale(store, NOT_AT_ALL, LONG).await, [expected]);
}

async fn lists_what_runs_for_too_long_and_who_runs_it(store: &dyn Store) {
    let session = store.open_session("worker-7", LONG).await.unwrap();
    let id = enqueue(store, job("mail")).await;
    assert_eq!(ids(&claim(store, session, &["mail"], 1).await), [id]);
    pass_a_moment(store).await;

    let worker = Some("worker-7".to_owned());
    let expected = (Stale::Running, id.as_i64(), worker, false);
    assert_eq!(stale(store, LONG, NOT_AT_ALL).await, [expected]);
    assert_eq!(stale(store, LONG, LONG).await, []);
}

async fn lists_what_a_dead_session_has(store: &dyn Store) {
    let session = open_session(store).await;
    let running = running_job(store, session, "mail").await;
    expire(store, session).await;

    let lost = (Stale::Running, running.key.id.as_i64(), None, true);
    assert_eq!(stale(store, LONG, LONG).await, [lost]);
}

async fn lists_the_oldest_first(store: &dyn Store) {
    let first = enqueue(store, job("mail")).await;
    let second = enqueue(store, job("report")).await;
    let now = seconds_from_now(store, 1).await;
    wait_until(store, now).await;

    let listed = store.list_stale(NOT_AT_ALL, LONG, 10).await.unwrap();
    let found: Vec<i64> = listed.iter().map(|it| it.id).collect();
    assert_eq!(found, [first.as_i64(), second.as_i64()]);
    let listed = store.list_stale(NOT_AT_ALL, LONG, 1).await.unwrap();
    assert_eq!(listed[0].id, first.as_i64());
    assert_eq!(listed.len(), 1);
}

async fn lists_nothing_when_all_is_well(store: &dyn Store) {
    let session = open_session(store).await;
    running_job(store, session, "mail").await;
    held_job(store, session, "report").await;
    scheduled_job(store).await;
    enqueue(store, job("mail")).await;
    // Due since it was enqueued, whatever it says.
    let long_ago = store.now().await.unwrap() - 2 * LONG;
    let made_up = JobToEnqueue {
        run_at: RunAt::At(long_ago),
        ..job("mail")
    };
    enqueue(store, made_up).await;

    assert_eq!(stale(store, LONG, LONG).await, []);
}
