//! Taking over the jobs of sessions whose lease has run out.

use std::time::Duration;

use pgqueuer::{
    JobId, PgQueuer,
    store::{Crash, FailureReason, JobState, KindRecord, SessionId, Store},
};
use sqlx::postgres::PgPoolOptions;

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{
        again, claim, enqueue, enqueue_many, expire, ids, job, kind_record, open_session, record,
        running_job, settle, slow_claim, state, wait_for_a_lock,
    },
};

store_cases! {
    does_nothing_when_all_live,
    makes_the_jobs_of_a_dead_session_available,
    reports_what_it_did,
    counts_the_attempt,
    records_the_crash,
    leaves_the_jobs_of_the_living,
    puts_jobs_at_the_end_of_the_line,
    holds_a_job_whose_attempts_are_used_up,
    discards_a_job_whose_kind_asks_for_it,
    keeps_no_record_of_a_discarded_job_that_is_not_to_be_retained,
    gives_an_unknown_kind_25_attempts,
    happens_once_even_if_many_try,
}

// These are about transactions that overlap, which a mutex does not have.
postgres_only! {
    on_postgres:
    leaves_a_session_that_is_claiming,
}

postgres_only! {
    on_postgres, not_pooled("settings of a session"):
    loses_nothing_that_is_claimed_meanwhile,
}

/// Opens a session, which claims one job of this kind and then dies.
async fn crashed(store: &dyn Store, kind: &'static str) -> (SessionId, JobId) {
    let session = open_session(store).await;
    let job = running_job(store, session, kind).await;
    expire(store, session).await;
    (session, job.key.id)
}

async fn does_nothing_when_all_live(store: &dyn Store) {
    let session = open_session(store).await;
    running_job(store, session, "mail").await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes, []);
}

async fn makes_the_jobs_of_a_dead_session_available(store: &dyn Store) {
    let dead = open_session(store).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 20).await;
    claim(store, dead, &["mail"], 20).await;
    expire(store, dead).await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes.len(), 20);
    let mut claimed = ids(&claim(store, session, &["mail"], 100).await);
    claimed.sort_unstable();
    assert_eq!(claimed, enqueued);
}

async fn reports_what_it_did(store: &dyn Store) {
    let (session, id) = crashed(store, "mail").await;

    let crashes = store.rescue().await.unwrap();

    let expected = Crash {
        id,
        kind: "mail".to_owned(),
        session,
        state: JobState::Available,
    };
    assert_eq!(crashes, [expected]);
}

async fn counts_the_attempt(store: &dyn Store) {
    let (_, id) = crashed(store, "mail").await;

    store.rescue().await.unwrap();

    let session = open_session(store).await;
    let claimed = claim(store, session, &["mail"], 1).await;
    assert_eq!((claimed[0].key.id, claimed[0].attempt), (id, 2));
}

async fn records_the_crash(store: &dyn Store) {
    let (session, id) = crashed(store, "mail").await;

    store.rescue().await.unwrap();

    let failures = record(store, id).await.failures;
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].attempt, failures[0].reason),
        (1, FailureReason::Crash)
    );
    assert!(failures[0].failed_at.is_some());
    let names_the_worker = format!("worker \"conformance\" (session {session})");
    assert!(
        failures[0].message.contains(&names_the_worker),
        "{}",
        failures[0].message
    );
}

async fn leaves_the_jobs_of_the_living(store: &dyn Store) {
    let living = open_session(store).await;
    let theirs = running_job(store, living, "mail").await;
    crashed(store, "mail").await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes.len(), 1);
    assert_eq!(state(store, theirs.key.id).await, JobState::Running);
}

async fn puts_jobs_at_the_end_of_the_line(store: &dyn Store) {
    let (_, id) = crashed(store, "mail").await;
    let waiting = enqueue_many(store, &job("mail"), 2).await;

    store.rescue().await.unwrap();

    let session = open_session(store).await;
    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [waiting[0], waiting[1], id]);
}

async fn holds_a_job_whose_attempts_are_used_up(store: &dyn Store) {
    let record_of_kind = KindRecord {
        max_attempts: 1,
        ..kind_record("mail")
    };
    store.publish_kinds(&[record_of_kind]).await.unwrap();
    let (_, id) = crashed(store, "mail").await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes[0].state, JobState::Held);
    let record = record(store, id).await;
    assert_eq!((record.state, record.attempt), (JobState::Held, 1));
    assert!(record.payload.is_some());
    assert_eq!(record.failures.len(), 1);
}

async fn discards_a_job_whose_kind_asks_for_it(store: &dyn Store) {
    let record_of_kind = KindRecord {
        max_attempts: 1,
        on_failure: "discard".to_owned(),
        ..kind_record("mail")
    };
    store.publish_kinds(&[record_of_kind]).await.unwrap();
    let (_, id) = crashed(store, "mail").await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes[0].state, JobState::Discarded);
    let record = record(store, id).await;
    assert_eq!((record.state, record.attempt), (JobState::Discarded, 1));
    assert_eq!(record.failures[0].reason, FailureReason::Crash);
    assert!(record.finished_at.is_some());
}

async fn keeps_no_record_of_a_discarded_job_that_is_not_to_be_retained(store: &dyn Store) {
    let record_of_kind = KindRecord {
        max_attempts: 1,
        on_failure: "discard".to_owned(),
        retain_seconds: 0,
        ..kind_record("mail")
    };
    store.publish_kinds(&[record_of_kind]).await.unwrap();
    let (_, id) = crashed(store, "mail").await;

    let crashes = store.rescue().await.unwrap();

    assert_eq!(crashes[0].state, JobState::Discarded);
    assert_eq!(store.get_job(id).await.unwrap(), None);
}

async fn gives_an_unknown_kind_25_attempts(store: &dyn Store) {
    let session = open_session(store).await;
    let mut job = running_job(store, session, "mail").await;
    while job.attempt < 24 {
        settle(store, session, &[again(&job, Duration::ZERO)]).await;
        job = claim(store, session, &["mail"], 1).await.remove(0);
    }

    let mut states = Vec::new();
    for session in [session, open_session(store).await] {
        claim(store, session, &["mail"], 1).await;
        expire(store, session).await;
        let crashes = store.rescue().await.unwrap();
        states.extend(crashes.into_iter().map(|it| it.state));
    }

    assert_eq!(states, [JobState::Available, JobState::Held]);
}

async fn happens_once_even_if_many_try(store: &dyn Store) {
    let dead = open_session(store).await;
    enqueue_many(store, &job("mail"), 50).await;
    claim(store, dead, &["mail"], 50).await;
    expire(store, dead).await;

    let rescues = futures_util::future::join_all((0..8).map(|_| store.rescue())).await;

    let rescued: usize = rescues.into_iter().map(|it| it.unwrap().len()).sum();
    assert_eq!(rescued, 50);
    let session = open_session(store).await;
    let claimed = claim(store, session, &["mail"], 100).await;
    assert!(claimed.iter().all(|it| it.attempt == 2));
}

async fn leaves_a_session_that_is_claiming(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let id = enqueue(store, job("mail")).await;
    let claim = slow_claim(database, session, id).await;
    expire(store, session).await;

    let meanwhile = store.rescue().await.unwrap();
    claim.commit().await.unwrap();
    let afterwards = store.rescue().await.unwrap();

    assert_eq!(meanwhile, []);
    assert_eq!(afterwards.len(), 1);
}

/// A claim may commit after the rescue has begun, and before the rescue comes to its session.
async fn loses_nothing_that_is_claimed_meanwhile(database: &Database) {
    let store = database.store();
    let sessions = [open_session(store).await, open_session(store).await];
    let first = running_job(store, sessions[0], "mail").await.key.id;
    let second = enqueue(store, job("mail")).await;
    let claim = slow_claim(database, sessions[1], second).await;
    for session in sessions {
        expire(store, session).await;
    }
    // Keeps the rescue waiting at the first job. The plan is one that comes to the sessions
    // one by one, as any plan may.
    let mut keeper = database.pool().begin().await.unwrap();
    let keep = database.sql("SELECT FROM pgqueuer.jobs WHERE id = $1 FOR UPDATE");
    let keep = sqlx::query(keep).bind(first.as_i64());
    keep.execute(&mut *keeper).await.unwrap();
    let plan = [("enable_hashjoin", "off"), ("enable_mergejoin", "off")];
    let options = database.options.clone().options(plan);
    let pool = PgPoolOptions::new().connect_lazy_with(options);
    let rescuer = PgQueuer::with_schema(pool, database.schema.clone());

    let rescue = tokio::spawn(async move { rescuer.store().rescue().await.map(|it| it.len()) });
    wait_for_a_lock(database).await;
    claim.commit().await.unwrap();
    keeper.commit().await.unwrap();
    let rescued = rescue.await.unwrap().unwrap() + store.rescue().await.unwrap().len();

    assert_eq!(rescued, 2);
    assert_eq!(state(store, second).await, JobState::Available);
}
