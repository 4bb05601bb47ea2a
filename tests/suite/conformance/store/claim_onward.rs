//! Claims that go on from where the last one left off.

use std::time::Duration;

use pgqueuer::store::{JobToEnqueue, Store};

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{
        again, claim, claim_onward, enqueue, enqueue_many, ids, job, open_session, running_job,
        settle,
    },
};

store_cases! {
    goes_on_after_a_look_everywhere,
    finds_what_was_enqueued_since,
    finds_a_job_that_is_tried_again,
    keeps_the_priorities_that_it_knows,
    takes_no_more_than_the_limit,
    misses_nothing_for_good,
}

// These are about transactions that overlap, which a mutex does not have.
postgres_only! {
    on_postgres:
    leaves_what_is_not_committed,
    leaves_what_was_slow_to_commit_to_a_look_everywhere,
    never_finds_what_was_rolled_back,
    leaves_what_somebody_has_in_hand_to_a_look_at_the_whole_lane,
}

async fn goes_on_after_a_look_everywhere(store: &dyn Store) {
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 10).await;
    let head = claim(store, session, &["mail"], 3).await;

    let next = claim_onward(store, session, &["mail"], 3).await;
    let rest = claim_onward(store, session, &["mail"], 100).await;

    assert_eq!(ids(&head), enqueued[..3]);
    assert_eq!(ids(&next), enqueued[3..6]);
    assert_eq!(ids(&rest), enqueued[6..]);
}

async fn finds_what_was_enqueued_since(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    claim(store, session, &["mail"], 10).await;
    let later = enqueue_many(store, &job("mail"), 2).await;

    let claimed = claim_onward(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), later);
}

async fn finds_a_job_that_is_tried_again(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    let second = running_job(store, session, "mail").await;
    settle(store, session, &[again(&first, Duration::ZERO)]).await;

    let claimed = claim_onward(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [first.key.id]);
    assert_ne!(second.key.id, first.key.id);
}

async fn keeps_the_priorities_that_it_knows(store: &dyn Store) {
    let session = open_session(store).await;
    let urgent = JobToEnqueue {
        priority: 9,
        ..job("mail")
    };
    enqueue(store, urgent.clone()).await;
    enqueue(store, job("mail")).await;
    claim(store, session, &["mail"], 10).await;
    let low = enqueue(store, job("mail")).await;
    let high = enqueue(store, urgent).await;

    let claimed = claim_onward(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [high, low]);
}

async fn takes_no_more_than_the_limit(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 10).await;
    claim(store, session, &["mail"], 1).await;

    let claimed = claim_onward(store, session, &["mail"], 4).await;

    assert_eq!(claimed.len(), 4);
}

/// Whatever a look onward does not see, the next look everywhere does.
async fn misses_nothing_for_good(store: &dyn Store) {
    let session = open_session(store).await;
    let urgent = JobToEnqueue {
        priority: 9,
        ..job("mail")
    };
    claim(store, session, &["mail", "report"], 10).await;
    let mut enqueued = enqueue_many(store, &job("mail"), 2).await;
    enqueued.extend(enqueue_many(store, &urgent, 2).await);
    enqueued.extend(enqueue_many(store, &job("report"), 2).await);

    let mut claimed = ids(&claim_onward(store, session, &["mail", "report"], 10).await);
    claimed.extend(ids(&claim(store, session, &["mail", "report"], 10).await));

    claimed.sort_unstable();
    assert_eq!(claimed, enqueued);
}

async fn leaves_what_is_not_committed(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let mut transaction = database.pool().begin().await.unwrap();
    let insert = database.sql("SELECT pgqueuer.enqueue('mail')");
    sqlx::query(insert)
        .execute(&mut *transaction)
        .await
        .unwrap();

    let before = claim(store, session, &["mail"], 10).await;
    transaction.commit().await.unwrap();
    let after = claim(store, session, &["mail"], 10).await;

    assert_eq!((before.len(), after.len()), (0, 1));
}

async fn leaves_what_was_slow_to_commit_to_a_look_everywhere(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    let mut slow = database.pool().begin().await.unwrap();
    let insert = database.sql("SELECT pgqueuer.enqueue('mail')");
    let slow_id: i64 = sqlx::query_scalar(insert)
        .fetch_one(&mut *slow)
        .await
        .unwrap();
    let later = enqueue(store, job("mail")).await;
    let first = claim(store, session, &["mail"], 10).await;

    slow.commit().await.unwrap();
    let onward = claim_onward(store, session, &["mail"], 10).await;
    let everywhere = claim(store, session, &["mail"], 10).await;

    assert_eq!(first.last().map(|it| it.key.id), Some(later));
    // It lies behind the cursor: a look onward may miss it, one of the two must find it.
    let found = [ids(&onward), ids(&everywhere)].concat();
    assert_eq!(found, [slow_id.into()]);
}

async fn never_finds_what_was_rolled_back(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let mut transaction = database.pool().begin().await.unwrap();
    let insert = database.sql("SELECT pgqueuer.enqueue('mail')");
    sqlx::query(insert)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let kept = enqueue(store, job("mail")).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [kept]);
}

async fn leaves_what_somebody_has_in_hand_to_a_look_at_the_whole_lane(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    // In company: who is alone expects nobody to have anything in hand.
    open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 4).await;
    claim(store, session, &["mail"], 1).await;
    let mut other = database.pool().begin().await.unwrap();
    let lock = database.sql("SELECT FROM pgqueuer.jobs WHERE id = $1 FOR UPDATE");
    let lock = sqlx::query(lock).bind(enqueued[1].as_i64());
    lock.execute(&mut *other).await.unwrap();
    // It shows on the row, whether it still holds or not.
    other.rollback().await.unwrap();

    let onward = claim_onward(store, session, &["mail"], 10).await;
    let everywhere = claim(store, session, &["mail"], 10).await;

    assert_eq!(ids(&onward), enqueued[2..]);
    assert_eq!(ids(&everywhere), enqueued[1..2]);
}
