//! What producers and workers must do, on every store.
//!
//! The jobs of a case stand beside it. They are registered by hand, because all of them are
//! in this one program, and some are meant to clash.

mod ahead;
mod attempts;
mod bad_input;
mod building;
mod cancelling;
mod concurrency;
mod context;
mod drain;
mod executors;
mod hooks;
mod limits;
mod metrics;
mod minutes;
mod outcomes;
mod payloads;
mod priorities;
mod producers;
mod retries;
mod schedules;
mod stopping;
mod unique;
mod upgrades;
mod waits;

use std::{future::Future, sync::Arc, time::Duration};

use pgqueuer::{PgQueuer, Report, Worker, WorkerBuilder, WorkerConfig};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::in_time;

/// What handlers noted down, in order. They take it as `State<Journal>`.
#[derive(Clone, Debug, Default)]
struct Journal(Arc<watch::Sender<Vec<String>>>);

impl Journal {
    fn note(&self, line: impl Into<String>) {
        self.0.send_modify(|lines| lines.push(line.into()));
    }

    fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until this many lines are there.
    async fn wait_for(&self, count: usize) -> Vec<String> {
        let mut receiver = self.0.subscribe();
        let enough = receiver.wait_for(|lines| lines.len() >= count);
        let lines = in_time(&format!("line {count} of the journal"), enough).await;
        lines.expect("the sender is in `self`").clone()
    }
}

/// Begins a worker that runs only what is registered, and does not dawdle.
fn worker(pgq: &PgQueuer, journal: &Journal) -> WorkerBuilder {
    let config = WorkerConfig {
        poll_interval: Duration::from_millis(50),
        ..WorkerConfig::default()
    };
    pgq.worker()
        .only_registered()
        .config(config)
        .state(journal.clone())
}

/// Runs a worker until there is nothing left to do.
async fn drain(worker: WorkerBuilder) -> Report {
    let drained = in_time("the end of a drain", worker.build().unwrap().drain());
    drained.await.unwrap()
}

/// A worker that runs until it is told to stop.
struct Running {
    stop: CancellationToken,
    worker: JoinHandle<pgqueuer::Result<Report>>,
}

impl Running {
    fn start(worker: WorkerBuilder) -> Self {
        Self::start_built(worker.build().unwrap())
    }

    fn start_built(worker: Worker) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let worker = tokio::spawn(worker.run_until(stopped));
        Self { stop, worker }
    }

    /// Tells the worker to stop, and waits until it has.
    async fn stop(self) -> Report {
        self.stop.cancel();
        self.stopped().await
    }

    /// Waits for a worker that was told to stop.
    fn stopped(self) -> impl Future<Output = Report> {
        let worker = self.worker;
        async move { in_time("the worker", worker).await.unwrap().unwrap() }
    }
}
