//! Who asks to be woken: idle workers, and not busy ones, since producers that ring cannot
//! commit at the same time.

use std::time::Duration;

use pgqueuer::{Job as _, job};
use tokio_util::sync::CancellationToken;

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{eventually, in_time},
};

postgres_only! {
    on_postgres, not_pooled("LISTEN"):
    is_asked_for_by_an_idle_worker_and_declined_by_a_busy_one,
    is_waited_for_as_long_as_somebody_writes,
}

#[job]
async fn blink() {}

async fn is_armed(database: &Database) -> bool {
    let armed = database.sql("SELECT armed FROM pgqueuer.sessions");
    let armed: Vec<bool> = sqlx::query_scalar(armed)
        .fetch_all(database.pool())
        .await
        .unwrap();
    armed == [true]
}

async fn is_asked_for_by_an_idle_worker_and_declined_by_a_busy_one(database: &Database) {
    let stop = CancellationToken::new();
    let worker = database.pgq.worker().only_registered().register::<Blink>();
    let running = worker.build().unwrap();
    let running = tokio::spawn(running.run_until(stop.clone().cancelled_owned()));
    let armed = async |expected| {
        let is = async || (is_armed(database).await == expected).then_some(());
        eventually(&format!("armed: {expected}"), is).await;
    };
    armed(true).await;

    let declined = CancellationToken::new();
    let produce = async || {
        while !declined.is_cancelled() {
            Blink {}.enqueue(&database.pgq).await.unwrap();
        }
    };
    let watching = async {
        armed(false).await;
        declined.cancel();
    };
    tokio::join!(produce(), produce(), produce(), watching);

    armed(true).await;
    stop.cancel();
    in_time("the worker", running).await.unwrap().unwrap();
}

/// While a transaction is open, a worker looks now and then, at longer and longer intervals, but
/// for the rings.
async fn is_waited_for_as_long_as_somebody_writes(database: &Database) {
    let mut writing = database.pool().begin().await.unwrap();
    Blink {}
        .enqueue(database.pgq.on(&mut writing))
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let worker = database.pgq.worker().only_registered().register::<Blink>();
    let running = worker.build().unwrap();
    let running = tokio::spawn(running.run_until(stop.clone().cancelled_owned()));
    let done = async |expected: i64| {
        let is_done = async || {
            let count = database.sql("SELECT count(*) FROM pgqueuer.history");
            let count: i64 = sqlx::query_scalar(count)
                .fetch_one(database.pool())
                .await
                .unwrap();
            (count == expected).then_some(())
        };
        eventually(&format!("{expected} jobs are done"), is_done).await;
    };

    // An interval that is doubled as often is longer than the universe is old.
    for number in 1..=100 {
        Blink {}.enqueue(&database.pgq).await.unwrap();
        done(number).await;
        // Seldom enough not to decline the bell.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    writing.commit().await.unwrap();
    done(101).await;

    stop.cancel();
    in_time("the worker", running).await.unwrap().unwrap();
}
