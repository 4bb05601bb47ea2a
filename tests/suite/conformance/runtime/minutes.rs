//! What a worker writes into the minutes.

use std::time::Duration;

use pgqueuer::{Hold, MinuteRecord, PgQueuer, Tally, prelude::*};

use super::{super::runtime_cases, Journal, Running, drain, worker};
use crate::support::{LONG, eventually};

runtime_cases! {
    say_what_a_drain_has_done,
    say_what_a_worker_does_while_it_runs,
    say_nothing_of_jobs_that_were_given_back,
}

const NAP: Duration = Duration::from_millis(20);

#[job]
async fn nap() {
    tokio::time::sleep(NAP).await;
}

#[job]
async fn doubtful() -> Result<(), Hold> {
    Err(Hold::new("somebody has to look"))
}

#[job]
async fn endless() {
    std::future::pending::<()>().await;
}

/// What a kind has come to in all minutes.
fn of(minutes: &[MinuteRecord], kind: &str) -> Tally {
    let mut total = Tally::default();
    for it in minutes.iter().filter(|it| it.kind == kind) {
        total.add(&it.tally);
    }
    total
}

async fn say_what_a_drain_has_done(pgq: &PgQueuer) {
    Nap::enqueue_many(pgq, (0..3).map(|_| Nap {}))
        .await
        .unwrap();
    Doubtful {}.enqueue(pgq).await.unwrap();
    let builder = worker(pgq, &Journal::default());

    drain(builder.register::<Nap>().register::<Doubtful>()).await;

    let minutes = pgq.list_minutes(LONG).await.unwrap();
    let (naps, doubts) = (of(&minutes, "nap"), of(&minutes, "doubtful"));
    assert_eq!((naps.completed, naps.attempts()), (3, 3));
    assert_eq!((doubts.held, doubts.attempts()), (1, 1));
    let nap = NAP.as_secs_f64();
    assert!(naps.run_seconds >= 3.0 * nap, "{naps:?}");
    assert!(naps.max_run_seconds >= nap, "{naps:?}");
    assert!(naps.max_run_seconds <= naps.run_seconds, "{naps:?}");
    assert!(naps.wait_seconds > 0.0, "{naps:?}");
}

async fn say_what_a_worker_does_while_it_runs(pgq: &PgQueuer) {
    let running = Running::start(worker(pgq, &Journal::default()).register::<Nap>());
    Nap {}.enqueue(pgq).await.unwrap();

    let completed = eventually("the counts are added", async || {
        let minutes = pgq.list_minutes(LONG).await.unwrap();
        let completed = of(&minutes, "nap").completed;
        (completed > 0).then_some(completed)
    })
    .await;

    running.stop().await;
    assert_eq!(completed, 1);
    let minutes = pgq.list_minutes(LONG).await.unwrap();
    assert_eq!(of(&minutes, "nap").completed, 1);
}

async fn say_nothing_of_jobs_that_were_given_back(pgq: &PgQueuer) {
    let builder = worker(pgq, &Journal::default());
    let builder = builder.configure(|config| config.shutdown_grace = Duration::ZERO);
    let running = Running::start(builder.register::<Endless>());
    Endless {}.enqueue(pgq).await.unwrap();
    eventually("the job runs", async || {
        let counts = pgq.count_jobs().await.unwrap();
        (counts.running == 1).then_some(())
    })
    .await;

    let report = running.stop().await;

    assert_eq!(report.given_back, 1);
    assert_eq!(pgq.list_minutes(LONG).await.unwrap(), []);
}
