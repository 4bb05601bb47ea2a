//! Running again what is held, and giving it up.

use pgqueuer::{
    Codec, JobFilter, JobId, OnConflict, Payload, Requeue, Requeued, Unique, UniqueFor,
    store::{JobState, SessionId, Store},
};

use super::{
    super::store_cases,
    operate::{held_job, none, scheduled_job, some},
};
use crate::support::{
    LONG, claim, completed, enqueue, enqueue_many, held, ids, job, open_session, record,
    running_job, settle, state,
};

store_cases! {
    requeues_what_is_held,
    requeues_what_is_scheduled,
    requeues_for_later_with_other_arguments,
    leaves_what_waits_or_runs_where_it_is,
    requeues_no_job_whose_key_is_taken,
    requeues_one_of_several_with_a_key,
    discards_what_is_held_and_nothing_else,
}

async fn requeue(store: &dyn Store, filter: &JobFilter) -> Requeued {
    let step = store
        .requeue(filter, &Requeue::now(), none(), 1000)
        .await
        .unwrap();
    step.done
}

async fn add_unique(store: &dyn Store) -> JobId {
    let unique = Unique {
        key: "a".to_owned(),
        lasts: UniqueFor::Unfinished,
        on_conflict: OnConflict::Skip,
    };
    store
        .enqueue_unique(&[(job("mail"), Some(unique))])
        .await
        .unwrap()[0]
        .id
}

/// Holds the job that has the key.
async fn hold_unique(store: &dyn Store, session: SessionId) -> JobId {
    let id = add_unique(store).await;
    let claimed = claim(store, session, &["mail"], 10).await;
    let results: Vec<_> = claimed.iter().map(held).collect();
    settle(store, session, &results).await;
    id
}

async fn requeues_what_is_held(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let waiting = enqueue(store, job("mail")).await;

    let done = requeue(store, &JobFilter::ids([held])).await;

    let expected = Requeued {
        requeued: 1,
        refused: 0,
    };
    assert_eq!(done, expected);
    assert_eq!(record(store, held).await.attempt, 0);
    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [waiting, held]);
    assert_eq!(claimed[1].attempt, 1);
}

async fn requeues_what_is_scheduled(store: &dyn Store) {
    let session = open_session(store).await;
    let scheduled = scheduled_job(store).await;

    requeue(store, &JobFilter::ids([scheduled])).await;

    assert_eq!(
        ids(&claim(store, session, &["mail"], 10).await),
        [scheduled]
    );
}

async fn requeues_for_later_with_other_arguments(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let payload = Payload {
        codec: Codec::Framed,
        bytes: vec![1],
    };
    let how = Requeue::now()
        .after(LONG)
        .payload(payload.clone())
        .priority(7)
        .keep_attempts();

    store
        .requeue(&some("mail"), &how, none(), 10)
        .await
        .unwrap();

    let record = record(store, held).await;
    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(
        (record.payload, record.priority, record.attempt),
        (Some(payload), 7, 1)
    );
    let wait = record.run_at.unwrap() - store.now().await.unwrap();
    assert!(wait > chrono::TimeDelta::minutes(59), "{wait}");
}

async fn leaves_what_waits_or_runs_where_it_is(store: &dyn Store) {
    let session = open_session(store).await;
    let running = running_job(store, session, "mail").await;
    let waiting = enqueue_many(store, &job("mail"), 2).await;

    let done = requeue(store, &JobFilter::ids([running.key.id, waiting[0]])).await;

    assert_eq!(done, Requeued::default());
    assert_eq!(ids(&claim(store, session, &["mail"], 10).await), waiting);
    assert_eq!(settle(store, session, &[completed(&running)]).await, []);
}

async fn requeues_no_job_whose_key_is_taken(store: &dyn Store) {
    let session = open_session(store).await;
    let first = hold_unique(store, session).await;
    let second = add_unique(store).await;

    let done = requeue(store, &JobFilter::ids([first])).await;

    assert_ne!(first, second);
    assert_eq!((done.requeued, done.refused), (0, 1));
    assert_eq!(state(store, first).await, JobState::Held);
}

async fn requeues_one_of_several_with_a_key(store: &dyn Store) {
    let session = open_session(store).await;
    let first = hold_unique(store, session).await;
    let second = hold_unique(store, session).await;

    let done = requeue(store, &some("mail").state(JobState::Held)).await;

    assert_ne!(first, second);
    assert_eq!((done.requeued, done.refused), (1, 1));
    assert_eq!(state(store, first).await, JobState::Available);
    assert_eq!(state(store, second).await, JobState::Held);
}

async fn discards_what_is_held_and_nothing_else(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let running = running_job(store, session, "mail").await.key.id;
    let waiting = enqueue(store, job("mail")).await;

    let step = store.discard(&some("mail"), none(), 10).await.unwrap();

    assert_eq!((step.done, step.last), (1, Some(held)));
    assert_eq!(state(store, held).await, JobState::Discarded);
    assert_eq!(state(store, running).await, JobState::Running);
    assert_eq!(state(store, waiting).await, JobState::Available);
}
