//! Connections are ended by the server, of each sort, and all at once.

use std::time::Duration;

use super::stage::{Running, Stage, until};

/// What a connection does last before it is ended: part of its text, for each sort.
const SORTS: [(&str, &str); 6] = [
    ("claiming", "%unnest($2::text[], $3::smallint[]%"),
    ("settling", "%WITH ended AS%"),
    ("lease", "%SET expires_at%"),
    ("control", "%WITH due AS%"),
    ("bell", "LISTEN %"),
    ("the application's", "%public.touched%"),
];

/// A worker with a short lease, so that its connections have something to do.
async fn on_stage() -> (Stage, Running) {
    let stage = Stage::set().await;
    stage.execute("CREATE TABLE public.touched (n int)").await;
    let worker = stage.worker_on(&stage.pgq).lease(Duration::from_secs(3));
    let worker = Running::start(worker.build().unwrap());
    (stage, worker)
}

/// Ends the connections of a sort as soon as there are any.
async fn terminate(stage: &Stage, sort: &str, query: &str) {
    until(sort, async || {
        let pool = stage.pgq.pool().unwrap();
        let touch = sqlx::query("SELECT count(*) FROM public.touched");
        touch.fetch_one(pool).await.unwrap();
        stage.terminate(query).await > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sort_is_replaced_when_it_was_ended_under_load() {
    let (mut stage, worker) = on_stage().await;
    for (sort, query) in SORTS {
        let before = stage.runs.len();
        stage.enqueue(500).await;
        stage.begun(before + 50).await;
        terminate(&stage, sort, query).await;
        stage.all_done_once().await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sort_is_replaced_when_it_was_ended_while_idle() {
    let (mut stage, worker) = on_stage().await;
    stage.is_idle_and_well().await;
    for (sort, query) in SORTS {
        terminate(&stage, sort, query).await;
        stage.is_idle_and_well().await;
        // They are all there again, or could not be ended in the next round.
        stage.is_idle_and_well().await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_are_replaced_again_and_again() {
    let (mut stage, worker) = on_stage().await;
    stage.enqueue(3000).await;
    for round in 1..=10 {
        stage.begun(round * 250).await;
        assert!(stage.terminate_all().await > 0);
    }
    stage.all_done_once().await;
    stage.is_idle_and_well().await;
    worker.stop().await;
}
