//! Concurrency of each key, and the order of its jobs.

use std::time::Duration;

use pgqueuer::{
    JobId, Limits,
    store::{Holds, JobState, JobToEnqueue, Store},
};

use super::{
    super::store_cases,
    limits::{ONE_AT_A_TIME, claim_mail, keyed, limit},
};
use crate::support::{
    again, claim, completed, enqueue, enqueue_many, expire, given_back, held, ids, job,
    open_session, settle, state,
};

store_cases! {
    limits_each_key,
    passes_by_a_key_that_has_reached_its_limit,
    limits_a_kind_and_each_of_its_keys,
    keeps_the_jobs_of_a_key_in_order,
    keeps_the_order_while_one_is_to_be_tried_again,
    keeps_the_order_of_what_is_given_back_or_rescued,
    lets_the_next_run_when_one_is_held,
    finds_jobs_that_are_older_than_the_keys,
}

/// One job of each of these keys.
async fn enqueue_keys(store: &dyn Store, name: &'static str, keys: &[&str]) -> Vec<JobId> {
    let jobs: Vec<JobToEnqueue> = keys.iter().map(|key| keyed(name, key)).collect();
    store.enqueue(&jobs).await.unwrap()
}

async fn limits_each_key(store: &dyn Store) {
    let two_each = Limits {
        concurrency_per_key: Some(2),
        ..Limits::NONE
    };
    limit(store, "mail", two_each).await;
    let session = open_session(store).await;
    let enqueued = enqueue_keys(store, "mail", &["a", "a", "a", "b", "a", "b", "b", "c"]).await;

    let mut first = ids(&claim_mail(store, session).await);
    let second = claim_mail(store, session).await;

    first.sort_unstable();
    assert_eq!(first, [0, 1, 3, 5, 7].map(|it| enqueued[it]));
    assert_eq!(ids(&second), []);
}

async fn passes_by_a_key_that_has_reached_its_limit(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    enqueue_many(store, &keyed("mail", "a"), 200).await;
    let first = claim(store, session, &["mail"], 1).await;
    let others = enqueue_keys(store, "mail", &["b", "0"]).await;

    let mut next = ids(&claim_mail(store, session).await);

    next.sort_unstable();
    assert_eq!(first.len(), 1);
    assert_eq!(next, others);
}

async fn limits_a_kind_and_each_of_its_keys(store: &dyn Store) {
    let both = Limits {
        concurrency: Some(3),
        ..ONE_AT_A_TIME
    };
    limit(store, "mail", both).await;
    let session = open_session(store).await;
    enqueue_keys(store, "mail", &["a", "a", "b", "b", "c", "c", "d", "d"]).await;

    let claimed = claim_mail(store, session).await;
    let more = claim_mail(store, session).await;

    assert_eq!((claimed.len(), more.len()), (3, 0));
}

async fn keeps_the_jobs_of_a_key_in_order(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &keyed("mail", "a"), 5).await;

    let mut ran = Vec::new();
    for _ in 0..5 {
        let claimed = claim_mail(store, session).await;
        ran.extend(ids(&claimed));
        settle(store, session, &[completed(&claimed[0])]).await;
    }

    assert_eq!(ran, enqueued);
}

async fn keeps_the_order_while_one_is_to_be_tried_again(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &keyed("mail", "a"), 3).await;
    let other = enqueue(store, keyed("mail", "b")).await;
    let first = claim(store, session, &["mail"], 1).await;
    settle(
        store,
        session,
        &[again(&first[0], Duration::from_millis(5))],
    )
    .await;

    let meanwhile = claim_mail(store, session).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.promote(10).await.unwrap();
    let later = claim_mail(store, session).await;

    assert_eq!(ids(&first), enqueued[..1]);
    assert_eq!(ids(&meanwhile), [other]);
    assert_eq!(ids(&later), enqueued[..1]);
    assert_eq!(later[0].attempt, 2);
}

async fn keeps_the_order_of_what_is_given_back_or_rescued(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let enqueued = enqueue_many(store, &keyed("mail", "a"), 3).await;
    let mut ran = Vec::new();
    for end in ["given back", "closed", "unsure", "rescued"] {
        let session = open_session(store).await;
        let claimed = claim_mail(store, session).await;
        ran.extend(ids(&claimed));
        match end {
            "given back" => {
                settle(store, session, &[given_back(&claimed[0], Duration::ZERO)]).await;
            }
            "closed" => {
                let keys = [claimed[0].key];
                let holds = Holds::Only(&keys);
                store.close_session(session, holds).await.unwrap();
            }
            "unsure" => {
                let unsure = Holds::Unsure;
                store.close_session(session, unsure).await.unwrap();
            }
            _ => {
                expire(store, session).await;
                store.rescue().await.unwrap();
            }
        }
    }
    let session = open_session(store).await;
    let claimed = claim_mail(store, session).await;
    assert_eq!(store.reconcile(session, &[]).await.unwrap(), 1);
    let last = claim_mail(store, session).await;

    assert_eq!(ran, [enqueued[0]; 4]);
    assert_eq!(
        (ids(&claimed), ids(&last)),
        (vec![enqueued[0]], vec![enqueued[0]])
    );
}

async fn lets_the_next_run_when_one_is_held(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &keyed("mail", "a"), 2).await;
    let first = claim_mail(store, session).await;
    settle(store, session, &[held(&first[0])]).await;

    let next = claim_mail(store, session).await;

    assert_eq!(ids(&next), enqueued[1..]);
}

async fn finds_jobs_that_are_older_than_the_keys(store: &dyn Store) {
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 2).await;
    limit(store, "mail", ONE_AT_A_TIME).await;
    let adopted = store.adopt().await.unwrap();

    let first = claim_mail(store, session).await;
    settle(store, session, &[completed(&first[0])]).await;
    let second = claim_mail(store, session).await;

    assert_eq!(adopted, 2);
    assert_eq!([ids(&first), ids(&second)].concat(), enqueued);
    assert_eq!(state(store, enqueued[0]).await, JobState::Completed);
}
