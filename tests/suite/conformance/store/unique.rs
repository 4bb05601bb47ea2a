//! Unique jobs: of those with the same key, one is enqueued.

use std::time::Duration;

use pgqueuer::{
    Enqueued, ErrorKind, JobId, OnConflict, Replace, Unique, UniqueFor,
    store::{JobState, JobToEnqueue, RunAt, Store},
};

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{
        LONG, again, claim, completed, enqueue_many, expire, held, ids, job, open_session, record,
        settle, state,
    },
};

store_cases! {
    skips_a_job_whose_key_is_taken,
    says_which_are_new_by_position,
    tells_kinds_apart,
    keeps_the_key_while_the_job_runs_and_waits_to_be_tried_again,
    frees_the_key_when_the_job_has_ended,
    frees_the_key_when_the_job_is_held,
    keeps_the_key_of_a_job_that_is_rescued,
    refuses_the_whole_call_if_told_to,
    replaces_the_payload_of_a_job_that_waits,
    replaces_when_a_job_is_to_run,
    replaces_the_priority,
    leaves_a_job_that_runs_as_it_is,
    keeps_the_key_for_a_while_whatever_becomes_of_the_job,
    frees_the_key_when_its_time_is_over,
    forgets_keys_whose_time_is_over,
    enqueues_each_key_once_under_racing_batches,
    enqueues_one_of_many_that_race,
}

postgres_only! {
    on_postgres:
    waits_for_keys_in_one_order,
}

fn unique(key: &str) -> Unique {
    Unique {
        key: key.to_owned(),
        lasts: UniqueFor::Unfinished,
        on_conflict: OnConflict::Skip,
    }
}

fn replacing(key: &str, replace: Replace) -> Unique {
    Unique {
        on_conflict: OnConflict::Replace(replace),
        ..unique(key)
    }
}

fn within(key: &str, window: Duration) -> Unique {
    Unique {
        lasts: UniqueFor::Window(window),
        ..unique(key)
    }
}

async fn add(store: &dyn Store, job: JobToEnqueue, unique: Unique) -> Enqueued {
    let added = store.enqueue_unique(&[(job, Some(unique))]).await.unwrap();
    added[0]
}

async fn add_mail(store: &dyn Store, key: &str) -> Enqueued {
    add(store, job("mail"), unique(key)).await
}

fn with_payload(bytes: &[u8]) -> JobToEnqueue {
    let mut job = job("mail");
    job.payload.bytes = bytes.to_vec();
    job.headers.insert("of".to_owned(), format!("{bytes:?}"));
    job
}

fn delayed(delay: Duration) -> JobToEnqueue {
    JobToEnqueue {
        run_at: RunAt::After(delay),
        ..job("mail")
    }
}

async fn skips_a_job_whose_key_is_taken(store: &dyn Store) {
    let first = add_mail(store, "a").await;
    let second = add_mail(store, "a").await;
    let other = add_mail(store, "b").await;

    assert_eq!(
        (first.is_new, second.is_new, other.is_new),
        (true, false, true)
    );
    assert_eq!(second.id, first.id);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 2);
}

async fn says_which_are_new_by_position(store: &dyn Store) {
    let there = add_mail(store, "b").await;
    let keys = [Some("c"), Some("b"), None, Some("a"), Some("c"), None];
    let jobs = keys.map(|key| (job("mail"), key.map(unique)));

    let added = store.enqueue_unique(&jobs).await.unwrap();

    let new: Vec<bool> = added.iter().map(|it| it.is_new).collect();
    assert_eq!(new, [true, false, true, true, false, true]);
    assert_eq!((added[1].id, added[4].id), (there.id, added[0].id));
    let mut all: Vec<JobId> = added.iter().map(|it| it.id).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 5);
}

async fn tells_kinds_apart(store: &dyn Store) {
    add_mail(store, "a").await;

    let other = add(store, job("report"), unique("a")).await;

    assert!(other.is_new);
}

async fn keeps_the_key_while_the_job_runs_and_waits_to_be_tried_again(store: &dyn Store) {
    let session = open_session(store).await;
    let first = add_mail(store, "a").await;
    let claimed = claim(store, session, &["mail"], 1).await;
    let running = add_mail(store, "a").await;
    settle(store, session, &[again(&claimed[0], LONG)]).await;

    let scheduled = add_mail(store, "a").await;

    assert!(!running.is_new && !scheduled.is_new);
    assert_eq!(scheduled.id, first.id);
}

async fn frees_the_key_when_the_job_has_ended(store: &dyn Store) {
    let session = open_session(store).await;
    add_mail(store, "a").await;
    let claimed = claim(store, session, &["mail"], 1).await;
    settle(store, session, &[completed(&claimed[0])]).await;

    assert!(add_mail(store, "a").await.is_new);
}

async fn frees_the_key_when_the_job_is_held(store: &dyn Store) {
    let session = open_session(store).await;
    let first = add_mail(store, "a").await;
    let claimed = claim(store, session, &["mail"], 1).await;
    settle(store, session, &[held(&claimed[0])]).await;

    let second = add_mail(store, "a").await;

    assert!(second.is_new);
    assert_eq!(state(store, first.id).await, JobState::Held);
}

async fn keeps_the_key_of_a_job_that_is_rescued(store: &dyn Store) {
    let session = open_session(store).await;
    let first = add_mail(store, "a").await;
    claim(store, session, &["mail"], 1).await;
    expire(store, session).await;
    store.rescue().await.unwrap();

    assert_eq!(add_mail(store, "a").await.id, first.id);
}

async fn refuses_the_whole_call_if_told_to(store: &dyn Store) {
    let there = add_mail(store, "b").await;
    let strict = |key| Unique {
        on_conflict: OnConflict::Error,
        ..unique(key)
    };
    let jobs = ["a", "b", "c"].map(|key| (job("mail"), Some(strict(key))));

    let error = store.enqueue_unique(&jobs).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        format!(
            "job {} of kind \"mail\" has the unique key b already",
            there.id
        )
    );
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

async fn replaces_the_payload_of_a_job_that_waits(store: &dyn Store) {
    let session = open_session(store).await;
    let replace = || replacing("a", Replace::PAYLOAD);
    let first = add(store, with_payload(b"1"), replace()).await;
    let mut changed = with_payload(b"2");
    changed.priority = 5;
    changed.run_at = RunAt::After(LONG);
    let second = add(store, changed, replace()).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert!(!second.is_new);
    assert_eq!(ids(&claimed), [first.id]);
    assert_eq!(claimed[0].payload.bytes, b"2");
    assert_eq!(claimed[0].headers["of"], "[50]");
    assert_eq!(claimed[0].priority, 0);
}

async fn replaces_when_a_job_is_to_run(store: &dyn Store) {
    let session = open_session(store).await;
    let replace = || replacing("a", Replace::RUN_AT);
    let first = add(store, with_payload(b"1"), replace()).await;
    let before = state(store, first.id).await;
    add(store, delayed(LONG), replace()).await;
    let later = record(store, first.id).await;
    let none = claim(store, session, &["mail"], 10).await;
    add(store, job("mail"), replace()).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(
        (before, later.state),
        (JobState::Available, JobState::Scheduled)
    );
    assert_eq!((ids(&none), ids(&claimed)), (vec![], vec![first.id]));
    assert_eq!(claimed[0].payload.bytes, b"1");
}

async fn replaces_the_priority(store: &dyn Store) {
    let session = open_session(store).await;
    let first = add_mail(store, "a").await;
    let others = enqueue_many(store, &job("mail"), 2).await;
    claim(store, session, &["mail"], 0).await;
    let urgent = JobToEnqueue {
        priority: 9,
        ..job("mail")
    };
    add(store, urgent, replacing("a", Replace::PRIORITY)).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [first.id, others[0], others[1]]);
    assert_eq!(claimed[0].priority, 9);
}

async fn leaves_a_job_that_runs_as_it_is(store: &dyn Store) {
    let session = open_session(store).await;
    add(store, with_payload(b"1"), unique("a")).await;
    let claimed = claim(store, session, &["mail"], 1).await;

    let mut changed = with_payload(b"2");
    changed.run_at = RunAt::After(LONG);
    let second = add(store, changed, replacing("a", Replace::ALL)).await;

    let now = record(store, second.id).await;
    assert_eq!(now.state, JobState::Running);
    assert_eq!(now.payload.unwrap().bytes, b"1");
    let refused = settle(store, session, &[completed(&claimed[0])]).await;
    assert_eq!(refused, []);
}

async fn keeps_the_key_for_a_while_whatever_becomes_of_the_job(store: &dyn Store) {
    let session = open_session(store).await;
    let first = add(store, job("mail"), within("a", LONG)).await;
    let claimed = claim(store, session, &["mail"], 1).await;
    settle(store, session, &[completed(&claimed[0])]).await;

    let second = add(store, job("mail"), within("a", LONG)).await;

    assert!(first.is_new && !second.is_new);
    assert_eq!(second.id, first.id);
}

async fn frees_the_key_when_its_time_is_over(store: &dyn Store) {
    let short = Duration::from_millis(10);
    let first = add(store, job("mail"), within("a", short)).await;
    tokio::time::sleep(Duration::from_millis(30)).await;

    let second = add(store, job("mail"), within("a", LONG)).await;
    let third = add(store, job("mail"), within("a", LONG)).await;

    assert!(first.is_new && second.is_new && !third.is_new);
    assert_eq!(third.id, second.id);
}

async fn forgets_keys_whose_time_is_over(store: &dyn Store) {
    let short = Duration::from_millis(1);
    for key in ["a", "b", "c"] {
        add(store, job("mail"), within(key, short)).await;
    }
    add(store, job("mail"), within("d", LONG)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;

    let mut forgotten = Vec::new();
    for _ in 0..3 {
        forgotten.push(store.forget_keys(2).await.unwrap());
    }

    assert_eq!(forgotten, [2, 1, 0]);
    assert!(!add(store, job("mail"), within("d", LONG)).await.is_new);
}

async fn enqueues_each_key_once_under_racing_batches(store: &dyn Store) {
    let batch = |number: usize| -> Vec<(JobToEnqueue, Option<Unique>)> {
        // Half of them the other way round, or none would wait for one that waits for it.
        let place = |place: usize| {
            if number.is_multiple_of(2) {
                place
            } else {
                99 - place
            }
        };
        let key = |at: usize| format!("{}", (number / 2 * 37 + place(at) * 13) % 200);
        let job = |at| (job("mail"), Some(unique(&key(at))));
        (0..100).map(job).collect()
    };
    let batches: Vec<_> = (0..50).map(batch).collect();

    let adding = batches.iter().map(|batch| store.enqueue_unique(batch));
    let added = futures_util::future::try_join_all(adding).await.unwrap();

    // Each key has one job, of which all answers know, and which one of them says is new.
    let mut by_key: std::collections::BTreeMap<&str, Vec<Enqueued>> = Default::default();
    for (batch, added) in batches.iter().zip(&added) {
        for ((_, unique), enqueued) in batch.iter().zip(added) {
            let key = unique.as_ref().unwrap().key.as_str();
            by_key.entry(key).or_default().push(*enqueued);
        }
    }
    assert_eq!(by_key.len(), 200);
    for (key, answers) in by_key {
        let new = answers.iter().filter(|it| it.is_new).count();
        assert_eq!(new, 1, "{key}");
        assert!(answers.iter().all(|it| it.id == answers[0].id), "{key}");
    }
    assert_eq!(store.count_jobs(None).await.unwrap().available, 200);
}

async fn enqueues_one_of_many_that_race(store: &dyn Store) {
    let adding = (0..50).map(|_| add_mail(store, "a"));

    let added = futures_util::future::join_all(adding).await;

    let new = added.iter().filter(|it| it.is_new).count();
    assert_eq!(new, 1);
    assert!(added.iter().all(|it| it.id == added[0].id));
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

/// Two batches with the same keys, the other way round, which both wait for a third one. If they
/// took their keys as they come, one would then have what the other waits for, and that in turn.
async fn waits_for_keys_in_one_order(database: &Database) {
    let store = database.store();
    for round in 0..8 {
        let keys = [format!("a {round}"), format!("z {round}")];
        let job_of = |key: &String| (job("mail"), Some(unique(key)));
        let forth = keys.each_ref().map(job_of);
        let back = [job_of(&keys[1]), job_of(&keys[0])];
        // Has the key that is the last one of `back`, and the first one of `forth`.
        let mut third = database.pool().begin().await.unwrap();
        let take = database.sql("SELECT pgqueuer.enqueue('mail', unique_key => $1)");
        sqlx::query(take)
            .bind(&keys[0])
            .execute(&mut *third)
            .await
            .unwrap();
        let release = async {
            crate::support::eventually("both to wait", async || {
                let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
                     AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
                let waiting: i64 =
                    sqlx::query_scalar(waiting).fetch_one(database.pool()).await.unwrap();
                (waiting >= 2).then_some(())
            })
            .await;
            third.rollback().await.unwrap();
        };

        let (forth, back, ()) = tokio::join!(
            store.enqueue_unique(&forth),
            store.enqueue_unique(&back),
            release,
        );

        let all = [forth.unwrap(), back.unwrap()].concat();
        assert_eq!(all.iter().filter(|it| it.is_new).count(), 2);
    }
}
