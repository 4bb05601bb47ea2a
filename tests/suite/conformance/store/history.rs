//! Looking jobs up, counting them, and forgetting finished ones.

use std::time::Duration;

use pgqueuer::store::{Counts, Ending, JobState, JobToEnqueue, RunAt, Store};

use super::super::store_cases;
use crate::support::{
    LONG, claim, completed, ended, enqueue, enqueue_many, eventually, held, job, kind_record,
    open_session, running_job, settle, state,
};

store_cases! {
    knows_nothing_of_an_unknown_job,
    shows_a_job_in_every_state,
    counts_jobs_by_state,
    counts_only_the_kinds_asked_for,
    prunes_what_has_expired,
    prunes_no_more_than_the_limit,
    prunes_nothing_that_is_retained,
    does_not_show_what_has_expired,
    has_nothing_to_tend_twice,
    has_a_clock_that_moves_on,
    has_a_clock_that_is_about_right,
}

async fn knows_nothing_of_an_unknown_job(store: &dyn Store) {
    let found = store.get_job(404.into()).await.unwrap();

    assert_eq!(found, None);
}

async fn shows_a_job_in_every_state(store: &dyn Store) {
    let session = open_session(store).await;
    let running = running_job(store, session, "mail").await;
    let parked = running_job(store, session, "mail").await;
    let done = running_job(store, session, "mail").await;
    settle(store, session, &[held(&parked), completed(&done)]).await;
    let available = enqueue(store, job("mail")).await;
    let delayed = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    let scheduled = enqueue(store, delayed).await;

    let mut states = Vec::new();
    for id in [
        scheduled,
        available,
        running.key.id,
        parked.key.id,
        done.key.id,
    ] {
        states.push(state(store, id).await);
    }

    let expected = [
        JobState::Scheduled,
        JobState::Available,
        JobState::Running,
        JobState::Held,
        JobState::Completed,
    ];
    assert_eq!(states, expected);
}

async fn counts_jobs_by_state(store: &dyn Store) {
    let session = open_session(store).await;
    let delayed = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    enqueue_many(store, &job("mail"), 6).await;
    enqueue_many(store, &delayed, 4).await;
    let claimed = claim(store, session, &["mail"], 4).await;
    settle(store, session, &[held(&claimed[0]), completed(&claimed[1])]).await;

    let counts = store.count_jobs(None).await.unwrap();

    let expected = Counts {
        scheduled: 4,
        available: 2,
        running: 2,
        held: 1,
    };
    assert_eq!(counts, expected);
}

async fn counts_only_the_kinds_asked_for(store: &dyn Store) {
    enqueue_many(store, &job("mail"), 3).await;
    enqueue_many(store, &job("report"), 2).await;
    enqueue_many(store, &job("cleanup"), 1).await;

    let some = store.count_jobs(Some(&["mail", "cleanup"])).await.unwrap();
    let none = store.count_jobs(Some(&[])).await.unwrap();
    let all = store.count_jobs(None).await.unwrap();

    assert_eq!((some.available, none.available, all.available), (4, 0, 6));
}

async fn prunes_what_has_expired(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let shortly = ended(&job, Ending::Completed, Duration::from_millis(1));
    settle(store, session, &[shortly]).await;

    let pruned = eventually("the record has expired", async || {
        let pruned = store.prune(100).await.unwrap();
        (pruned > 0).then_some(pruned)
    })
    .await;

    assert_eq!(pruned, 1);
    assert_eq!(store.get_job(job.key.id).await.unwrap(), None);
}

async fn prunes_no_more_than_the_limit(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 5).await;
    let claimed = claim(store, session, &["mail"], 5).await;
    let shortly = |it| ended(it, Ending::Completed, Duration::from_millis(1));
    let settlements: Vec<_> = claimed.iter().map(shortly).collect();
    settle(store, session, &settlements).await;

    let first = eventually("the records have expired", async || {
        let pruned = store.prune(3).await.unwrap();
        (pruned > 0).then_some(pruned)
    })
    .await;
    let second = store.prune(3).await.unwrap();

    assert_eq!((first, second), (3, 2));
}

async fn prunes_nothing_that_is_retained(store: &dyn Store) {
    let session = open_session(store).await;
    let done = running_job(store, session, "mail").await;
    let parked = running_job(store, session, "mail").await;
    settle(store, session, &[completed(&done), held(&parked)]).await;

    let pruned = store.prune(100).await.unwrap();

    assert_eq!(pruned, 0);
    assert_eq!(state(store, done.key.id).await, JobState::Completed);
    assert_eq!(state(store, parked.key.id).await, JobState::Held);
}

async fn does_not_show_what_has_expired(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let shortly = ended(&job, Ending::Completed, Duration::from_millis(1));
    settle(store, session, &[shortly]).await;

    eventually("the record has expired", async || {
        let found = store.get_job(job.key.id).await.unwrap();
        found.is_none().then_some(())
    })
    .await;

    assert_eq!(store.prune(100).await.unwrap(), 1);
}

async fn has_nothing_to_tend_twice(store: &dyn Store) {
    store.publish_kinds(&[kind_record("mail")]).await.unwrap();
    let session = open_session(store).await;

    eventually("there is nothing to do", async || {
        let tended = store.tend_history().await.unwrap();
        tended.is_idle().then_some(())
    })
    .await;

    let done = running_job(store, session, "mail").await;
    settle(store, session, &[completed(&done)]).await;
    assert!(store.tend_history().await.unwrap().is_idle());
    assert_eq!(state(store, done.key.id).await, JobState::Completed);
}

async fn has_a_clock_that_moves_on(store: &dyn Store) {
    let before = store.now().await.unwrap();

    let after = eventually("the clock has moved", async || {
        let now = store.now().await.unwrap();
        (now != before).then_some(now)
    })
    .await;

    assert!(before < after, "{before} before {after}");
}

async fn has_a_clock_that_is_about_right(store: &dyn Store) {
    let now = store.now().await.unwrap();

    let apart = (now - chrono::Utc::now()).abs();
    assert!(apart < chrono::TimeDelta::minutes(10), "{apart} apart");
}
