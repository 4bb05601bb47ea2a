//! The disk is full: whatever writes fails, and is to be written later.

use std::time::Duration;

use super::stage::{Stage, until};

/// `disk_full`, which PostgreSQL raises when it cannot make a file longer.
const FULL: &str = "
    CREATE FUNCTION public.no_space() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END
    $$;
";

async fn fill(stage: &Stage, table: &str, event: &str) {
    let create = "CREATE TRIGGER no_space BEFORE";
    let each = "FOR EACH STATEMENT EXECUTE FUNCTION public.no_space()";
    stage
        .execute(format!("{create} {event} ON pgqueuer.{table} {each}"))
        .await;
}

async fn make_room(stage: &Stage, table: &str) {
    stage
        .execute(format!("DROP TRIGGER no_space ON pgqueuer.{table}"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_wait_until_there_is_room_for_them() {
    let mut stage = Stage::set().await;
    stage.execute(FULL).await;
    let worker = stage.start_worker();
    stage.is_idle_and_well().await;

    fill(&stage, "history", "INSERT").await;
    stage.enqueue(1000).await;
    // The worker takes no more than its slots and a batch that waits; it does not run on.
    stage.begun(11).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        stage.number("SELECT count(*) FROM pgqueuer.jobs").await,
        1000
    );
    make_room(&stage, "history").await;

    stage.all_done_once().await;
    let report = worker.stop().await;
    assert_eq!((report.completed, report.lost), (1001, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_go_on_when_there_is_room_for_them() {
    let mut stage = Stage::set().await;
    stage.execute(FULL).await;
    let worker = stage.start_worker();
    stage.is_idle_and_well().await;

    // The lease cannot be renewed either.
    fill(&stage, "sessions", "UPDATE").await;
    fill(&stage, "jobs", "UPDATE OR DELETE").await;
    stage.enqueue(1000).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.runs.len(), 1);
    make_room(&stage, "jobs").await;
    make_room(&stage, "sessions").await;

    stage.all_done_once().await;
    worker.stop().await;
}

/// What was scheduled comes later, and the counts of the minutes, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_else_could_not_be_written_is_written_later() {
    let mut stage = Stage::set().await;
    stage.execute(FULL).await;
    fill(&stage, "minutes", "INSERT OR UPDATE").await;
    let worker = stage.start_worker();
    stage.enqueue(100).await;
    stage.all_done_once().await;
    // The first time was in vain, after about five seconds.
    tokio::time::sleep(Duration::from_secs(7)).await;
    make_room(&stage, "minutes").await;

    let counted = "SELECT coalesce(sum(completed), 0)::bigint FROM pgqueuer.minutes";
    until("they are counted", async || stage.number(counted).await > 0).await;
    assert_eq!(stage.number(counted).await, 100);
    worker.stop().await;
}
