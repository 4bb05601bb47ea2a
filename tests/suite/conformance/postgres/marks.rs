//! What claims remember of the line, and how what they pass by is found.

use std::time::Duration;

use sqlx::{Executor as _, Row as _};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{
        claim, completed, enqueue, enqueue_many, eventually, expire, ids, in_time, job,
        open_session, settle,
    },
};

postgres_only! {
    on_postgres:
    find_a_job_that_was_slow_to_commit,
    begin_before_the_first_position,
    find_a_job_of_the_last_transaction_that_has_begun,
    find_the_very_first_job_though_it_was_slow_to_commit,
    stay_where_they_are_for_a_session_that_is_over,
    bring_back_a_job_that_was_passed_by,
    are_shared_with_later_workers,
    wait_for_those_who_were_writing,
}

postgres_only! {
    on_postgres, not_pooled("LISTEN"):
    ring_for_nobody_who_is_awake,
}

/// Claims and settles everything, again and again, so that all marks move on.
async fn drain(database: &Database, jobs: usize) {
    let store = database.store();
    let session = open_session(store).await;
    for _ in 0..4 {
        enqueue_many(store, &job("mail"), jobs).await;
        while let claimed @ [_, ..] = &*claim(store, session, &["mail"], 1000).await {
            let done: Vec<_> = claimed.iter().map(completed).collect();
            settle(store, session, &done).await;
        }
    }
}

async fn find_a_job_that_was_slow_to_commit(database: &Database) {
    enqueue(database.store(), job("mail")).await;
    let mut slow = database.pool().begin().await.unwrap();
    // A place in line that was taken long before the job can be seen.
    let enqueue = database.sql("SELECT pgqueuer.enqueue('mail')");
    let late: i64 = sqlx::query_scalar(enqueue)
        .fetch_one(&mut *slow)
        .await
        .unwrap();
    drain(database, 2000).await;

    slow.commit().await.unwrap();

    let session = open_session(database.store()).await;
    let found = claim(database.store(), session, &["mail"], 10).await;
    let found: Vec<i64> = ids(&found).iter().map(|id| id.as_i64()).collect();
    assert_eq!(found, [late]);
}

/// A sequence that has given out nothing says that it has given out 1.
async fn begin_before_the_first_position(database: &Database) {
    let horizon = include_str!("../../../../pgqueuer/src/postgres/sql/horizon.sql");
    let given_out = async || -> i64 {
        let horizon = sqlx::query(database.sql(horizon));
        let horizon = horizon.fetch_one(database.pool()).await.unwrap();
        horizon.get("position")
    };
    assert_eq!(given_out().await, 0);

    enqueue(database.store(), job("mail")).await;

    assert_eq!(given_out().await, 1);
}

/// While nobody else writes, no snapshot shows a transaction that has begun last.
async fn find_a_job_of_the_last_transaction_that_has_begun(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    drain(database, 10).await;
    let mut slow = database.pool().begin().await.unwrap();
    let late = database.sql("SELECT pgqueuer.enqueue('mail')");
    let late: i64 = sqlx::query_scalar(late)
        .fetch_one(&mut *slow)
        .await
        .unwrap();
    for _ in 0..5 {
        assert!(claim(store, session, &["mail"], 10).await.is_empty());
    }

    slow.commit().await.unwrap();

    let found = claim(store, session, &["mail"], 10).await;
    let found: Vec<i64> = ids(&found).iter().map(|id| id.as_i64()).collect();
    assert_eq!(found, [late]);
}

async fn find_the_very_first_job_though_it_was_slow_to_commit(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    for _ in 0..4 {
        assert!(claim(store, session, &["mail"], 10).await.is_empty());
    }
    let mut slow = database.pool().begin().await.unwrap();
    let first = database.sql("SELECT pgqueuer.enqueue('mail')");
    let first: i64 = sqlx::query_scalar(first)
        .fetch_one(&mut *slow)
        .await
        .unwrap();
    assert_eq!(first, 1);
    let second = enqueue(store, job("mail")).await;
    for expected in [&[second][..], &[], &[]] {
        let claimed = claim(store, session, &["mail"], 10).await;
        assert_eq!(ids(&claimed), expected);
    }

    slow.commit().await.unwrap();

    let found = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&found).len(), 1, "the first job is lost");
}

/// It claims nothing, and must not conclude that there is nothing.
async fn stay_where_they_are_for_a_session_that_is_over(database: &Database) {
    let store = database.store();
    drain(database, 10).await;
    let over = open_session(store).await;
    expire(store, over).await;
    let waiting = enqueue(store, job("mail")).await;
    for _ in 0..10 {
        assert!(claim(store, over, &["mail"], 10).await.is_empty());
        // Others write, so that the marks have something to wait for.
        enqueue(store, job("letter")).await;
    }

    let session = open_session(store).await;

    let found = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&found), [waiting]);
}

async fn bring_back_a_job_that_was_passed_by(database: &Database) {
    let store = database.store();
    let passed_by = enqueue(store, job("mail")).await;
    let mark = database.sql("UPDATE pgqueuer.lanes SET low_water = 1000000");
    database.pool().execute(sqlx::raw_sql(mark)).await.unwrap();
    let session = open_session(store).await;
    let hidden = claim(store, session, &["mail"], 10).await;
    assert!(hidden.is_empty(), "the mark says that there is nothing");
    let ahead = database.sql("SELECT setval('pgqueuer.positions', 1000000)");
    database.pool().execute(sqlx::raw_sql(ahead)).await.unwrap();

    assert_eq!(store.requeue_stranded().await.unwrap(), 1);

    assert_eq!(
        ids(&claim(store, session, &["mail"], 10).await),
        [passed_by]
    );
    assert_eq!(store.requeue_stranded().await.unwrap(), 0);
}

async fn are_shared_with_later_workers(database: &Database) {
    // Transactions of other databases on the server hold the marks back, too.
    eventually("a mark is shared", async || {
        drain(database, 500).await;
        let mark = database.sql("SELECT max(low_water) FROM pgqueuer.lanes");
        let mark: i64 = sqlx::query_scalar(mark)
            .fetch_one(database.pool())
            .await
            .unwrap();
        (mark > 0).then_some(())
    })
    .await;
}

async fn ring_for_nobody_who_is_awake(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    let mut bell = store.bell().await.unwrap();

    enqueue(store, job("mail")).await;
    let silence = tokio::time::timeout(Duration::from_millis(200), bell.rung()).await;
    assert!(
        silence.is_err(),
        "the bell was rung for a worker that is awake"
    );

    store.arm_bell(session, true).await.unwrap();
    enqueue(store, job("mail")).await;
    in_time("the bell", bell.rung()).await;
}

async fn wait_for_those_who_were_writing(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let mut writing = database.pool().begin().await.unwrap();
    let enqueue = database.sql("SELECT pgqueuer.enqueue('mail')");
    writing.execute(sqlx::raw_sql(enqueue)).await.unwrap();

    let horizon = store.arm_bell(session, true).await.unwrap();

    assert!(!store.has_passed(horizon).await.unwrap());
    writing.commit().await.unwrap();
    // Transactions of other cases hold it back, too.
    eventually("the horizon has passed", async || {
        store.has_passed(horizon).await.unwrap().then_some(())
    })
    .await;
}
