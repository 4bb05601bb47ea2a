//! How far busy workers are in their lines, for who asks since when jobs wait.

use std::time::Duration;

use chrono::TimeDelta;
use pgqueuer::{
    prelude::*,
    store::{Front, JobToEnqueue, SessionId, WorkerReport},
};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{LONG, enqueue, enqueue_many, eventually, expire, job, open_session},
};

postgres_only! {
    on_postgres:
    say_how_old_the_oldest_of_a_busy_line_is,
    leave_other_lines_to_their_heads,
    say_nothing_of_a_worker_that_is_dead,
    are_those_of_a_busy_worker,
}

const AGO: Duration = Duration::from_secs(60);

/// A worker that takes jobs from the line of `mail` says that the last one was due a minute ago.
async fn report_front(database: &Database, running: u64) -> SessionId {
    let session = open_session(database.store()).await;
    let front = Front {
        kind: "mail".to_owned(),
        priority: 0,
        due_ago: AGO,
    };
    let report = WorkerReport {
        concurrency: 10,
        running: [("mail".to_owned(), running)].into(),
        fronts: vec![front],
    };
    database.store().report(session, &report).await.unwrap();
    session
}

async fn oldest(database: &Database) -> Option<TimeDelta> {
    let overview = database.pgq.overview().await.unwrap();
    overview.kinds[0].oldest.map(|it| overview.at - it)
}

async fn say_how_old_the_oldest_of_a_busy_line_is(database: &Database) {
    enqueue_many(database.store(), &job("mail"), 3).await;
    report_front(database, 1).await;

    let age = oldest(database).await.unwrap();

    let expected = TimeDelta::from_std(AGO).unwrap();
    assert!(age >= expected && age < expected * 2, "{age}");
    // All run: none waits.
    report_front(database, 2).await;
    assert_eq!(oldest(database).await, None);
}

async fn say_nothing_of_a_worker_that_is_dead(database: &Database) {
    enqueue(database.store(), job("mail")).await;
    let session = report_front(database, 0).await;
    expire(database.store(), session).await;

    let age = oldest(database).await.unwrap();

    assert!(age < TimeDelta::from_std(AGO).unwrap(), "{age}");
}

async fn leave_other_lines_to_their_heads(database: &Database) {
    let urgent = JobToEnqueue {
        priority: 7,
        ..job("mail")
    };
    enqueue(database.store(), job("mail")).await;
    enqueue(database.store(), urgent).await;
    let earlier =
        "UPDATE pgqueuer.jobs SET enqueued_at = now() - interval '1 h' WHERE priority = 7";
    let earlier = sqlx::raw_sql(database.sql(earlier));
    earlier.execute(database.pool()).await.unwrap();
    report_front(database, 0).await;

    let age = oldest(database).await.unwrap();

    assert!(age >= TimeDelta::from_std(LONG).unwrap(), "{age}");
}

#[job]
async fn linger() {
    std::future::pending::<()>().await;
}

async fn are_those_of_a_busy_worker(database: &Database) {
    Linger::enqueue_many(&database.pgq, (0..3).map(|_| Linger {}))
        .await
        .unwrap();
    let worker = database.pgq.worker().only_registered().register::<Linger>();
    let worker = worker.concurrency(1).build().unwrap();
    let working = tokio::spawn(worker.run_until(std::future::pending()));

    let told = "SELECT fronts -> 0 ->> 'kind' FROM pgqueuer.reports";
    let kind = eventually("it tells", async || {
        let told: Option<Option<String>> = sqlx::query_scalar(database.sql(told))
            .fetch_optional(database.pool())
            .await
            .unwrap();
        told.flatten()
    })
    .await;

    assert_eq!(kind, "linger");
    let linger = &database.pgq.overview().await.unwrap().kinds[0];
    assert_eq!((linger.counts.available, linger.counts.running), (2, 1));
    assert!(linger.oldest.is_some());
    working.abort();
}
