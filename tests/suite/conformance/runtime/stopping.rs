//! How a worker ends, and what becomes of what it was running.

use std::time::Duration;

use pgqueuer::{
    Context, Job as _, PgQueuer, State, WorkerBuilder, WorkerConfig, job,
    store::{JobState, SessionId},
};
use tokio::sync::Notify;

use super::{super::runtime_cases, Journal, Running, worker};
use crate::support::{LONG, eventually, expire, in_time, open_session, record, state};

runtime_cases! {
    waits_for_running_jobs,
    claims_nothing_more,
    cancels_what_is_still_running_after_the_grace,
    drops_what_does_not_listen,
    gives_back_what_was_cut_off_at_no_attempt,
    takes_what_ends_well_after_all,
    happens_at_once_when_nothing_runs,
    happens_before_the_start,
    is_repeatable,
    leaves_what_is_not_claimed,
    follows_the_loss_of_the_lease,
}

type Gate = std::sync::Arc<Notify>;

#[job]
async fn pass_the_gate(gate: State<Gate>, journal: State<Journal>) {
    journal.note("waiting");
    gate.notified().await;
    journal.note("through");
}

#[job]
async fn listens(context: Context, journal: State<Journal>) -> Result<(), &'static str> {
    journal.note("waiting");
    context.cancellation().cancelled().await;
    journal.note("cancelled");
    Err("stopped half-way")
}

#[job]
async fn does_not_listen(journal: State<Journal>) {
    journal.note("waiting");
    std::future::pending::<()>().await;
}

#[job]
async fn ends_well(context: Context, journal: State<Journal>) {
    journal.note("waiting");
    context.cancellation().cancelled().await;
}

/// A worker that waits this long for running jobs.
fn with_grace(pgq: &PgQueuer, journal: &Journal, grace: Duration) -> WorkerBuilder {
    let config = WorkerConfig {
        shutdown_grace: grace,
        ..WorkerConfig::default()
    };
    worker(pgq, journal).config(config)
}

async fn waits_for_running_jobs(pgq: &PgQueuer) {
    let (journal, gate) = (Journal::default(), Gate::default());
    let id = PassTheGate {}.enqueue(pgq).await.unwrap().id();
    let worker = with_grace(pgq, &journal, LONG).state(gate.clone());
    let running = Running::start(worker.register::<PassTheGate>());
    journal.wait_for(1).await;

    running.stop.cancel();
    let stopped_early = running.worker.is_finished();
    gate.notify_one();
    let report = running.stopped().await;

    assert!(!stopped_early);
    assert_eq!((report.completed, report.given_back), (1, 0));
    assert_eq!(state(&**pgq.store(), id).await, JobState::Completed);
}

async fn claims_nothing_more(pgq: &PgQueuer) {
    let (journal, gate) = (Journal::default(), Gate::default());
    PassTheGate {}.enqueue(pgq).await.unwrap();
    let worker = with_grace(pgq, &journal, LONG).state(gate.clone());
    let running = Running::start(worker.register::<PassTheGate>());
    journal.wait_for(1).await;

    running.stop.cancel();
    // The word goes from one task to another, and nothing tells when it has arrived.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let late = PassTheGate {}.enqueue(pgq).await.unwrap().id();
    gate.notify_one();
    let report = running.stopped().await;

    let record = pgq.get_job(late).await.unwrap().unwrap();
    assert_eq!(report.completed, 1);
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn cancels_what_is_still_running_after_the_grace(pgq: &PgQueuer) {
    let journal = Journal::default();
    Listens {}.enqueue(pgq).await.unwrap();
    let worker = with_grace(pgq, &journal, Duration::from_millis(10));
    let running = Running::start(worker.register::<Listens>());
    journal.wait_for(1).await;

    running.stop().await;

    assert_eq!(journal.lines(), ["waiting", "cancelled"]);
}

async fn drops_what_does_not_listen(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = DoesNotListen {}.enqueue(pgq).await.unwrap().id();
    let worker = with_grace(pgq, &journal, Duration::from_millis(10));
    let running = Running::start(worker.register::<DoesNotListen>());
    journal.wait_for(1).await;

    let report = running.stop().await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(report.given_back, 1);
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn gives_back_what_was_cut_off_at_no_attempt(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = Listens {}.enqueue(pgq).await.unwrap().id();
    let worker = with_grace(pgq, &journal, Duration::ZERO);
    let running = Running::start(worker.register::<Listens>());
    journal.wait_for(1).await;

    let report = running.stop().await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(report.given_back, 1);
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
    assert_eq!(record.failures, []);
}

async fn takes_what_ends_well_after_all(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = EndsWell {}.enqueue(pgq).await.unwrap().id();
    let worker = with_grace(pgq, &journal, Duration::ZERO);
    let running = Running::start(worker.register::<EndsWell>());
    journal.wait_for(1).await;

    let report = running.stop().await;

    assert_eq!((report.completed, report.given_back), (1, 0));
    assert_eq!(state(&**pgq.store(), id).await, JobState::Completed);
}

async fn happens_at_once_when_nothing_runs(pgq: &PgQueuer) {
    let journal = Journal::default();
    let worker = with_grace(pgq, &journal, LONG).register::<DoesNotListen>();
    let running = Running::start(worker);

    let report = running.stop().await;

    assert_eq!(report, pgqueuer::Report::default());
}

async fn happens_before_the_start(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = DoesNotListen {}.enqueue(pgq).await.unwrap().id();
    let worker = worker(pgq, &journal).register::<DoesNotListen>();

    let run = worker.build().unwrap().run_until(async {});
    in_time("a worker that is not to run", run).await.unwrap();

    // It may have begun the job before it heard of the stop, but it gives it back.
    assert_eq!(state(&**pgq.store(), id).await, JobState::Available);
}

async fn is_repeatable(pgq: &PgQueuer) {
    let (journal, gate) = (Journal::default(), Gate::default());
    for round in 1..=10 {
        PassTheGate {}.enqueue(pgq).await.unwrap();
        let worker = worker(pgq, &journal).state(gate.clone());
        let running = Running::start(worker.register::<PassTheGate>());
        gate.notify_one();
        journal.wait_for(2 * round).await;
        running.stop().await;
    }

    assert_eq!(journal.lines().len(), 20);
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}

async fn leaves_what_is_not_claimed(pgq: &PgQueuer) {
    let journal = Journal::default();
    Listens::enqueue_many(pgq, (0..10).map(|_| Listens {}))
        .await
        .unwrap();
    let worker = with_grace(pgq, &journal, Duration::ZERO).concurrency(3);
    let running = Running::start(worker.register::<Listens>());
    journal.wait_for(3).await;

    let report = running.stop().await;

    assert_eq!(report.given_back, 3);
    assert_eq!(pgq.count_jobs().await.unwrap().available, 10);
}

/// A worker that was taken for dead cancels its jobs, whose results would be refused, and
/// goes on with another session.
async fn follows_the_loss_of_the_lease(pgq: &PgQueuer) {
    let journal = Journal::default();
    let store = &**pgq.store();
    let before = open_session(store).await;
    let id = Listens {}.enqueue(pgq).await.unwrap().id();
    let config = WorkerConfig {
        lease: Duration::from_secs(3),
        shutdown_grace: Duration::ZERO,
        ..WorkerConfig::default()
    };
    let worker = worker(pgq, &journal).config(config);
    let running = Running::start(worker.register::<Listens>());
    journal.wait_for(1).await;

    // Sessions are numbered one after the other. The worker may renew its own in between.
    let session = SessionId(before.0 + 1);
    eventually("a rescue, by this case or by the worker", async || {
        expire(store, session).await;
        store.rescue().await.unwrap();
        let record = record(store, id).await;
        (!record.failures.is_empty()).then_some(())
    })
    .await;
    // Cancelled by the loss, and begun again in the next session.
    journal.wait_for(3).await;
    let report = running.stop().await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(report.lost, 1);
    assert_eq!((record.attempt, record.failures.len()), (1, 1));
}
