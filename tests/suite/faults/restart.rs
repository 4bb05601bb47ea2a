//! The server is restarted.

use std::time::Duration;

use throwaway_postgres::{Postgres, Shutdown};

use super::stage::{Running, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_when_the_server_was_restarted_under_load() {
    let mut server = Postgres::builder().durable(true).start().unwrap();
    let mut stage = Stage::on(&server).await;
    let worker = stage.start_worker();

    for (shutdown, away) in [
        (Shutdown::Fast, Duration::ZERO),
        (Shutdown::Immediate, Duration::ZERO),
        (Shutdown::Fast, Duration::from_secs(2)),
        (Shutdown::Immediate, Duration::from_secs(2)),
    ] {
        let before = stage.runs.len();
        stage.enqueue(1000).await;
        stage.begun(before + 100).await;

        server.shut_down(shutdown).unwrap();
        tokio::time::sleep(away).await;
        server.start_again().unwrap();

        // Some of the jobs were under way.
        assert!(stage.runs.len() < before + 1000);
        stage.all_done_once().await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_when_the_server_was_restarted_while_it_was_idle() {
    let mut server = Postgres::builder().durable(true).start().unwrap();
    let mut stage = Stage::on(&server).await;
    // Polling would find the job only after an hour: the bell must be back.
    let hour = Duration::from_secs(60 * 60);
    let worker = stage.worker_on(&stage.pgq);
    let worker = worker.configure(|it| it.poll_interval = hour).build();
    let worker = Running::start(worker.unwrap());
    stage.is_idle_and_well().await;

    for shutdown in [Shutdown::Fast, Shutdown::Immediate] {
        server.shut_down(shutdown).unwrap();
        server.start_again().unwrap();

        stage.is_idle_and_well().await;
    }
    worker.stop().await;
}

/// While the server is away, nobody can take over jobs; when it is back, nobody does who was
/// cut off as well.
#[tokio::test(flavor = "multi_thread")]
async fn workers_keep_their_jobs_when_the_server_was_away_for_longer_than_the_lease() {
    let mut server = Postgres::builder().durable(true).start().unwrap();
    let mut stage = Stage::on(&server).await;
    let lease = Duration::from_secs(3);
    let start = || {
        let worker = stage.worker_on(&stage.pgq).lease(lease);
        Running::start(worker.build().unwrap())
    };
    let workers = [start(), start()];
    stage.enqueue(1000).await;
    stage.begun(100).await;

    server.shut_down(Shutdown::Immediate).unwrap();
    tokio::time::sleep(lease * 2).await;
    server.start_again().unwrap();

    stage.all_done_once().await;
    for worker in workers {
        worker.stop().await;
    }
}
