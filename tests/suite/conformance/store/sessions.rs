//! Lives of workers: opened, renewed, closed, run out.

use std::time::Duration;

use pgqueuer::store::{Holds, JobState, SessionId, Store};

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{
        LONG, claim, completed, enqueue, enqueue_many, expire, ids, job, open_session, record,
        running_job, settle, slow_claim, state, wait_for_a_lock,
    },
};

store_cases! {
    are_never_the_same,
    of_one_worker_may_be_several,
    that_are_unknown_cannot_claim,
    that_have_expired_cannot_claim,
    that_have_expired_hide_no_job_from_others,
    that_are_closed_cannot_claim,
    are_renewed_while_they_live,
    that_have_expired_can_be_renewed_until_they_are_rescued,
    that_were_rescued_cannot_be_renewed,
    that_were_closed_cannot_be_renewed,
    give_back_their_jobs_when_they_close,
    put_what_they_give_back_at_the_end_of_the_line,
    leave_the_jobs_of_others_alone_when_they_close,
    can_be_closed_twice,
    that_are_closed_cannot_settle,
    give_back_what_their_worker_does_not_know_of,
    keep_what_their_worker_knows_of,
}

// This is about transactions that overlap, which a mutex does not have.
postgres_only! {
    on_postgres:
    lose_nothing_that_is_claimed_as_they_close,
}

async fn give_back_what_their_worker_does_not_know_of(store: &dyn Store) {
    let session = open_session(store).await;
    let known = running_job(store, session, "mail").await;
    let lost = running_job(store, session, "mail").await;

    let given_back = store.reconcile(session, &[known.key]).await.unwrap();

    assert_eq!(given_back, 1);
    assert_eq!(state(store, known.key.id).await, JobState::Running);
    let lost = record(store, lost.key.id).await;
    assert_eq!((lost.state, lost.attempt), (JobState::Available, 0));
}

async fn keep_what_their_worker_knows_of(store: &dyn Store) {
    let session = open_session(store).await;
    let other = open_session(store).await;
    let ours = running_job(store, session, "mail").await;
    let theirs = running_job(store, other, "mail").await;

    let given_back = store.reconcile(session, &[ours.key]).await.unwrap();

    assert_eq!(given_back, 0);
    assert_eq!(state(store, ours.key.id).await, JobState::Running);
    assert_eq!(state(store, theirs.key.id).await, JobState::Running);
}

async fn are_never_the_same(store: &dyn Store) {
    let first = open_session(store).await;
    store.close_session(first, Holds::Unsure).await.unwrap();

    let second = open_session(store).await;

    assert!(first < second, "{first:?} before {second:?}");
}

async fn of_one_worker_may_be_several(store: &dyn Store) {
    let first = store.open_session("same name", LONG).await.unwrap();

    let second = store.open_session("same name", LONG).await.unwrap();

    assert_ne!(first, second);
    assert!(store.renew_session(first, LONG).await.unwrap());
    assert!(store.renew_session(second, LONG).await.unwrap());
}

async fn that_are_unknown_cannot_claim(store: &dyn Store) {
    let id = enqueue(store, job("mail")).await;

    let claimed = claim(store, SessionId(404), &["mail"], 1).await;

    assert_eq!(claimed, []);
    assert_eq!(state(store, id).await, JobState::Available);
}

async fn that_have_expired_cannot_claim(store: &dyn Store) {
    enqueue(store, job("mail")).await;
    let session = store.open_session("slow", Duration::ZERO).await.unwrap();

    let claimed = claim(store, session, &["mail"], 1).await;

    assert_eq!(claimed, []);
}

/// It looks often enough for the marks of its process to settle: they must not pass a job that
/// it saw and could not have.
async fn that_have_expired_hide_no_job_from_others(store: &dyn Store) {
    let id = enqueue(store, job("mail")).await;
    let expired = store.open_session("slow", Duration::ZERO).await.unwrap();
    for _ in 0..10 {
        claim(store, expired, &["mail"], 1).await;
    }
    let session = open_session(store).await;

    let claimed = claim(store, session, &["mail"], 1).await;

    assert_eq!(ids(&claimed), [id]);
}

async fn that_are_closed_cannot_claim(store: &dyn Store) {
    enqueue(store, job("mail")).await;
    let session = open_session(store).await;
    store.close_session(session, Holds::Unsure).await.unwrap();

    let claimed = claim(store, session, &["mail"], 1).await;

    assert_eq!(claimed, []);
}

async fn are_renewed_while_they_live(store: &dyn Store) {
    let session = open_session(store).await;

    let renewed = store.renew_session(session, LONG).await.unwrap();

    assert!(renewed);
}

async fn that_have_expired_can_be_renewed_until_they_are_rescued(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    expire(store, session).await;

    let renewed = store.renew_session(session, LONG).await.unwrap();

    assert!(renewed);
    assert_eq!(store.rescue().await.unwrap(), []);
    assert_eq!(settle(store, session, &[completed(&job)]).await, []);
}

async fn that_were_rescued_cannot_be_renewed(store: &dyn Store) {
    let session = open_session(store).await;
    expire(store, session).await;
    store.rescue().await.unwrap();

    let renewed = store.renew_session(session, LONG).await.unwrap();

    assert!(!renewed);
}

async fn that_were_closed_cannot_be_renewed(store: &dyn Store) {
    let session = open_session(store).await;
    store.close_session(session, Holds::Unsure).await.unwrap();

    let renewed = store.renew_session(session, LONG).await.unwrap();

    assert!(!renewed);
}

async fn give_back_their_jobs_when_they_close(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    store.close_session(session, Holds::Unsure).await.unwrap();

    let record = record(store, job.key.id).await;
    assert_eq!(record.state, JobState::Available);
    assert_eq!((record.attempt, record.failures), (0, Vec::new()));
}

async fn put_what_they_give_back_at_the_end_of_the_line(store: &dyn Store) {
    let closing = open_session(store).await;
    let session = open_session(store).await;
    let first = running_job(store, closing, "mail").await;
    let waiting = enqueue_many(store, &job("mail"), 2).await;

    store.close_session(closing, Holds::Unsure).await.unwrap();

    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [waiting[0], waiting[1], first.key.id]);
}

async fn leave_the_jobs_of_others_alone_when_they_close(store: &dyn Store) {
    let closing = open_session(store).await;
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    store.close_session(closing, Holds::Unsure).await.unwrap();

    assert_eq!(state(store, job.key.id).await, JobState::Running);
    assert_eq!(settle(store, session, &[completed(&job)]).await, []);
}

async fn can_be_closed_twice(store: &dyn Store) {
    let session = open_session(store).await;
    store.close_session(session, Holds::Unsure).await.unwrap();

    let closed_again = store.close_session(session, Holds::Unsure).await;

    assert!(closed_again.is_ok());
}

async fn that_are_closed_cannot_settle(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    store.close_session(session, Holds::Unsure).await.unwrap();

    let refused = settle(store, session, &[completed(&job)]).await;

    assert_eq!(refused, [job.key]);
    assert_eq!(state(store, job.key.id).await, JobState::Available);
}

/// A claim whose worker has given up on it may still commit.
async fn lose_nothing_that_is_claimed_as_they_close(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let id = enqueue(store, job("mail")).await;
    let claim = slow_claim(database, session, id).await;
    let pgq = database.pgq.clone();

    let closing =
        tokio::spawn(async move { pgq.store().close_session(session, Holds::Unsure).await });
    wait_for_a_lock(database).await;
    claim.commit().await.unwrap();
    closing.await.unwrap().unwrap();
    store.rescue().await.unwrap();

    assert_eq!(state(store, id).await, JobState::Available);
}
