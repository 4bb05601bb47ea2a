//! Who asks to be woken: idle workers, and not busy ones, since producers that ring cannot
//! commit at the same time.

use pgqueuer::{Job as _, job};
use tokio_util::sync::CancellationToken;

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{eventually, in_time},
};

postgres_only! {
    on_postgres:
    is_asked_for_by_an_idle_worker_and_declined_by_a_busy_one,
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
