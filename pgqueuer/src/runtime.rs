//! A running worker: which loops it has, and in what order they start and stop.
//!
//! ```text
//!            ┌───────── bell, poll ─────────┐
//!            ▼                              ▼
//!  fetcher ──claim──► attempts ──► settler  upkeep (promote, rescue, forget)
//!                        │            │     scheduler
//!                        └── session ─┘
//! ```
//!
//! # Start
//!
//! The schema is checked and the session opened before anything else: what is wrong then is
//! reported to the caller. From there on no error ends a loop; it is logged, the loop waits a
//! little longer each time, and goes on.
//!
//! # Stop
//!
//! 1. The fetcher, the scheduler and the upkeep end. Nothing more is claimed.
//! 2. Running attempts have the grace period. Then they are cancelled, and a second later
//!    dropped; those that were cut off are given back.
//! 3. The settler writes what is left, and ends. What it has written is counted.
//! 4. The session closes. Its renewal stops last, because until here its jobs were ours.
//! 5. Hooks have a few seconds to hear of all that.

mod ahead;
#[cfg(feature = "testing")]
mod alone;
mod attempt;
mod cancellations;
mod fetcher;
mod fronts;
#[cfg_attr(
    not(feature = "metrics"),
    expect(dead_code, reason = "always counted, and only read with this feature")
)]
mod meters;
mod minutes;
mod outlook;
mod panics;
mod progress;
mod reports;
mod rest;
mod scheduler;
mod session;
mod settler;
mod slots;
mod stop;
mod upkeep;
mod verdict;
mod wakeups;

#[cfg(feature = "testing")]
pub(crate) use alone::run_alone;
pub(crate) use meters::Meters;
#[cfg(feature = "metrics")]
pub(crate) use meters::{Batches, Counts, Present, Sizes, Timings};
pub(crate) use panics::catch;
pub(crate) use settler::Settled;
pub(crate) use stop::Stop;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument, error, info, warn};

use crate::{
    error::{Error, ErrorKind, Result},
    hook::Event,
    limits::{Limits, Scope},
    store::{KindRecord, Store},
    telemetry,
    worker::Worker,
};
use ahead::{Ahead, Pace};
use attempt::Attempts;
use fetcher::Fetcher;
use meters::AtWork;
use minutes::Minutes;
use progress::Said;
use session::Sessions;
use settler::Settler;
use slots::Slots;
use wakeups::Wakeups;

/// Whether a worker ends when there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Continuous,
    Drain,
}

/// What a worker did in its life: how the attempts ended that it wrote down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Jobs that are done.
    pub completed: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Jobs that were parked for a person.
    pub held: u64,
    /// Jobs that were given up, as their kind asks for.
    pub discarded: u64,
    /// Jobs that ended as cancelled.
    pub cancelled: u64,
    /// Attempts that asked to be repeated later, at no cost.
    pub snoozed: u64,
    /// Jobs that were given back because the worker stopped.
    pub given_back: u64,
    /// Attempts whose job was no longer this worker's when they ended.
    pub lost: u64,
}

/// Runs a worker to its end.
pub(crate) async fn run(worker: Worker, mode: Mode, stop: Stop) -> Result<Report> {
    let span = telemetry::worker_span(&worker.config.name);
    let done = stop.graceful.clone();
    let result = run_in_span(worker, mode, stop).instrument(span).await;
    // Also when it did not start: somebody may be waiting for a signal to pass on.
    done.cancel();
    result
}

async fn run_in_span(worker: Worker, mode: Mode, stop: Stop) -> Result<Report> {
    let Worker {
        pgq,
        registry,
        resources,
        queue_concurrency,
        queue_limits,
        mut config,
    } = worker;
    let hooks = pgq.hooks().clone();
    let meters = pgq.meters().clone();
    let store: Arc<dyn Store> = Arc::clone(pgq.store());
    panics::install_hook();

    let (verified, ()) = tokio::join!(store.verify(), store.warm_up());
    verified?;
    if config.listen && !store.has_bell().await? {
        warn!(
            poll_interval = ?config.poll_interval,
            "a pooler lets no notification through; polling instead"
        );
        config.listen = false;
    }
    let kinds: Vec<KindRecord> = registry.records();
    let limits: Vec<(Scope, Limits)> = registry
        .limits()
        .chain(
            queue_limits
                .into_iter()
                .map(|(queue, limits)| (Scope::Queue(queue), limits)),
        )
        .collect();
    let publishing = async {
        store.publish_kinds(&kinds).await?;
        // It reads what waits, so only if that may be of use.
        if store.publish_limits(&limits).await? {
            store.adopt().await?;
        }
        scheduler::publish(&*store, &registry).await
    };
    // Before the first result: a day whose records began elsewhere is not prepared any more.
    let preparing = upkeep::prepare(&*store);
    let opening = Sessions::open(Arc::clone(&store), &config, meters.clone());
    let (published, (), opened) = tokio::join!(publishing, preparing, opening);
    let sessions = opened?;
    if let Err(error) = published {
        sessions.close().await;
        return Err(error);
    }
    hooks.tell(|| Event::WorkerStarted {
        name: config.name.clone(),
        session: sessions.current().id,
    });
    info!(
        session = %sessions.current().id,
        jobs = registry.jobs().count(),
        concurrency = config.concurrency,
        "worker started"
    );

    let renewal = spawn(&stop, sessions.clone().renew());
    let slots = Slots::new(config.concurrency, &queue_concurrency, &registry);
    let minutes = Minutes::new(meters.clone());
    let _at_work = meters.begins(AtWork {
        since: Instant::now(),
        slots: slots.clone(),
        minutes: minutes.clone(),
    });
    let settled_all = CancellationToken::new();
    let counting = minutes.clone().run(Arc::clone(&store), settled_all.clone());
    let counting = spawn(&stop, counting);
    let wakeups = Wakeups::new(&config);
    let (settler, settling) = Settler::start(
        Arc::clone(&store),
        &config,
        minutes,
        meters.clone(),
        wakeups.clone(),
        hooks.clone(),
    );
    let settling = spawn(&stop, settling);
    let listening = spawn(&stop, wakeups.clone().listen(Arc::clone(&store)));
    let ahead = Ahead::default();
    let said = Said::default();
    let _noting = spawn(&stop, said.clone().write(Arc::clone(&store)));
    let reporting = spawn(
        &stop,
        reports::run(Arc::clone(&store), sessions.clone(), config.concurrency),
    );
    let attempts = Attempts::new(
        Arc::clone(&store),
        Arc::clone(&registry),
        resources,
        settler.clone(),
        ahead.clone(),
        hooks.clone(),
        said,
    );
    let _cancelling = spawn(
        &stop,
        cancellations::run(
            Arc::clone(&store),
            sessions.clone(),
            attempts.clone(),
            wakeups.clone(),
        ),
    );
    // If this future is dropped, the handlers are dropped, too, before the lease runs out and
    // others run their jobs.
    let _cut_off = attempts.cut_off_on_drop();
    let upkeep = spawn(
        &stop,
        upkeep::run(
            Arc::clone(&store),
            sessions.clone(),
            wakeups.clone(),
            config.clone(),
            hooks.clone(),
            meters.clone(),
            stop.graceful.clone(),
        ),
    );
    if mode == Mode::Drain {
        scheduler::run_once(&*store, &registry).await;
    }
    let scheduling = spawn(
        &stop,
        scheduler::run(
            Arc::clone(&store),
            Arc::clone(&registry),
            stop.graceful.clone(),
        ),
    );

    let fetcher = Fetcher {
        store: Arc::clone(&store),
        sessions: sessions.clone(),
        slots,
        attempts: attempts.clone(),
        settler: settler.clone(),
        wakeups,
        ahead,
        pace: Pace::new(),
        meters,
        claim_batch: config.claim_batch,
        mode,
    };
    fetcher.run(&stop.graceful).await;

    // A drain ends by itself: the other loops are still to be told.
    stop.graceful.cancel();
    info!(running = attempts.running(), "worker stops");
    end_of(upkeep, &stop).await;
    end_of(scheduling, &stop).await;
    drop(listening);
    attempts.finish(config.shutdown_grace, &stop.now).await;
    settler.finish();
    // It ends by itself in a while, whatever the store does.
    let _ = settling.await;
    settled_all.cancel();
    end_of(counting, &stop).await;
    // A session that is closed takes no reports.
    drop(reporting);
    sessions.close().await;
    end_of(renewal, &stop).await;
    let report = settler.report();
    let Report {
        completed,
        retried,
        held,
        discarded,
        cancelled,
        snoozed,
        given_back,
        lost,
    } = report;
    info!(
        completed,
        retried, held, discarded, cancelled, snoozed, given_back, lost, "worker stopped"
    );
    hooks.tell(|| Event::WorkerStopped {
        name: config.name,
        report,
    });
    let _ = stop.now.run_until_cancelled(hooks.have_heard()).await;
    Ok(report)
}

/// Starts a loop of a worker. It ends with the future that started it, whatever becomes of
/// that. If it panics, which is a mistake of ours, the worker stops: half a worker would hold
/// its jobs and not finish them.
fn spawn(stop: &Stop, work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    let graceful = stop.graceful.clone();
    let guarded = async move {
        if let Err(panic) = panics::catch(work).await {
            graceful.cancel();
            error!(
                error = panic.message,
                "a loop of the worker has panicked; the worker stops"
            );
        }
    };
    AbortOnDropHandle::new(tokio::spawn(guarded.in_current_span()))
}

/// Waits for a loop to end, but not when there is no time for that.
async fn end_of(work: AbortOnDropHandle<()>, stop: &Stop) {
    // An error is an abort, which only the end of this future does.
    let _ = stop.now.run_until_cancelled(work).await;
}

/// How long a call of the store may take. Far longer than any should: it is for a connection
/// whose other end has gone without a word, which would be waited for a quarter of an hour.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The same for what takes milliseconds, and what everything waits for: claims and results. Not
/// longer than the lease usually is, so that a network which drops all connections at once costs
/// no more than that. A server that is merely slow gives up by itself before (see
/// `postgres/dedicated.rs`).
pub(crate) const SHORT_CALL: Duration = Duration::from_secs(15);

/// Gives up a call that takes too long. What it has done by then is for the caller to find out.
pub(crate) async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(
            ErrorKind::Database,
            format!("the database did not answer within {limit:?}"),
        )),
    }
}

/// How long to wait after failures: longer each time, and never in step with others.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
}

impl Patience {
    /// Guesses: soon enough for a blip, seldom enough for a server that is starting.
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    fn reset(&mut self) {
        self.failures = 0;
    }

    fn next_wait(&mut self) -> Duration {
        let doubled = Self::FIRST * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        spread(doubled.min(Self::LONGEST), 0.3)
    }
}

/// The wait, give or take a share of it.
fn spread(wait: Duration, share: f64) -> Duration {
    wait.mul_f64(1.0 + share * (fastrand::f64() * 2.0 - 1.0))
}
