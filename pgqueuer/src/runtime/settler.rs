//! The settler: writes results in batches, and does not lose one.
//!
//! A result waits until the batch is full or the last one is a few milliseconds old, unless it frees a
//! slot under a limit. If the store refuses, the batch is tried again until it is written: forgetting it would run the jobs once more. The
//! queue of results is bounded, so a store that is away holds up the worker, not the memory.

mod counted;
mod told;
mod unwritten;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    Patience, Report, SHORT_CALL, in_time,
    meters::Meters,
    minutes::{Measured, Minutes},
    session::Session,
    wakeups::Wakeups,
};
use crate::{
    config::WorkerConfig,
    error::Chain,
    hook::Hooks,
    store::{ClaimKey, SessionId, Settlement, Store},
};
use unwritten::Unwritten;

/// How an attempt is counted once it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Completed,
    Retried,
    Held,
    Discarded,
    Cancelled,
    Snoozed,
    GivenBack,
    Lost,
}

/// Takes results. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Settler {
    results: mpsc::Sender<Finished>,
    unwritten: Arc<Unwritten>,
    report: Arc<Mutex<Report>>,
    minutes: Minutes,
    meters: Meters,
    wakeups: Wakeups,
    hooks: Hooks,
    finish: CancellationToken,
}

#[derive(Debug)]
struct Finished {
    session: Session,
    settlement: Settlement,
    settled: Settled,
    measured: Measured,
    /// Its slot under a limit becomes free.
    is_limited: bool,
}

/// A place in a batch to come.
pub(super) struct Place<'a> {
    permit: Option<mpsc::Permit<'a, Finished>>,
    settler: &'a Settler,
}

impl Place<'_> {
    pub(super) fn send(
        self,
        session: Session,
        settlement: Settlement,
        settled: Settled,
        measured: Measured,
        is_limited: bool,
    ) {
        let Some(permit) = self.permit else {
            // The settler has ended without waiting for this attempt, which blocked its
            // thread. The job is still claimed, and is given back with the session.
            self.settler.count_lost();
            return;
        };
        self.settler.unwritten.add();
        permit.send(Finished {
            session,
            settlement,
            settled,
            measured,
            is_limited,
        });
    }
}

impl Settler {
    /// The settler, and the loop that must run for it to write.
    pub(super) fn start(
        store: Arc<dyn Store>,
        config: &WorkerConfig,
        minutes: Minutes,
        meters: Meters,
        wakeups: Wakeups,
        hooks: Hooks,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        // Room for the batch that is written, and for the next.
        let (sender, receiver) = mpsc::channel(config.settle_batch * 2);
        let settler = Self {
            results: sender,
            unwritten: Arc::default(),
            report: Arc::default(),
            minutes: minutes.clone(),
            meters: meters.clone(),
            wakeups: wakeups.clone(),
            hooks: hooks.clone(),
            finish: CancellationToken::new(),
        };
        let writer = Writer {
            store,
            receiver,
            unwritten: Arc::clone(&settler.unwritten),
            report: Arc::clone(&settler.report),
            minutes,
            meters,
            wakeups,
            hooks,
            finish: settler.finish.clone(),
            lease: config.lease,
            batch: config.settle_batch,
            delay: config.settle_delay,
            last_write: None,
        };
        (settler, writer.run())
    }

    /// Waits for a place. Slow when the store is.
    pub(super) async fn reserve(&self) -> Place<'_> {
        Place {
            permit: self.results.reserve().await.ok(),
            settler: self,
        }
    }

    /// Takes note of a job that was completed in the transaction of its handler.
    pub(super) fn completed_elsewhere(
        &self,
        session: &Session,
        key: ClaimKey,
        measured: &Measured,
        is_limited: bool,
    ) {
        session.written([key].into_iter());
        let completed = Settled::Completed;
        self.minutes
            .count(session.id, [(completed, measured)].into_iter());
        self.count(completed);
        told::tell(&self.hooks, key.id, completed, None, measured);
        if is_limited {
            self.wakeups.freed();
        }
    }

    /// Takes note of a job whose transaction was rolled back, since others have it now.
    pub(super) fn lost(&self, session: &Session, key: ClaimKey) {
        session.written([key].into_iter());
        self.count(Settled::Lost);
        self.meters.count(|it| it.refused += 1);
    }

    /// Waits until everything handed in so far is written.
    pub(super) async fn flushed(&self) {
        self.unwritten.is_none().await;
    }

    /// Writes what is left, and ends.
    pub(super) fn finish(&self) {
        self.finish.cancel();
    }

    pub(super) fn report(&self) -> Report {
        *lock(&self.report)
    }
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Results of one session.
struct Batch {
    session: Session,
    settlements: Vec<Settlement>,
    settled: Vec<(Settled, Measured)>,
    frees_slots: bool,
}

struct Writer {
    store: Arc<dyn Store>,
    receiver: mpsc::Receiver<Finished>,
    unwritten: Arc<Unwritten>,
    report: Arc<Mutex<Report>>,
    minutes: Minutes,
    meters: Meters,
    wakeups: Wakeups,
    hooks: Hooks,
    finish: CancellationToken,
    lease: Duration,
    batch: usize,
    delay: Duration,
    last_write: Option<Instant>,
}

impl Writer {
    /// How long the last batches may take once the worker has nothing else to do. Then they
    /// are left to the lease: their jobs run again.
    const LAST_WORDS: Duration = Duration::from_secs(10);

    /// So many results do not wait for more, if one of them frees a slot under a limit.
    const FEW: usize = 32;

    async fn run(mut self) {
        let finish = self.finish.clone();
        let mut results = Vec::with_capacity(self.batch);
        while self.fill(&mut results, &finish).await {
            let written = results.len();
            self.last_write = Some(Instant::now());
            self.write(&mut results, &finish).await;
            self.unwritten.subtract(written);
        }
    }

    /// Collects a batch; `false` if there will be none.
    async fn fill(&mut self, results: &mut Vec<Finished>, finish: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            received = self.receiver.recv_many(results, self.batch) => {
                if received == 0 {
                    return false;
                }
            }
            () = finish.cancelled() => {
                self.receiver.close();
                return self.receiver.recv_many(results, self.batch).await > 0;
            }
        }
        // Since the last write, not since the first result: where there are few, they do not wait, and
        // where there are many, the writes come no closer.
        let now = Instant::now();
        let full = self.last_write.map_or(now, |it| it + self.delay);
        let full = tokio::time::sleep_until(full);
        tokio::pin!(full);
        let mut seen = 0;
        while results.len() < self.batch {
            // Others wait for its slot. Where there are many results, each write counts more.
            if results.len() <= Self::FEW && results[seen..].iter().any(|it| it.is_limited) {
                break;
            }
            seen = results.len();
            let room = self.batch - results.len();
            tokio::select! {
                biased;
                () = &mut full => break,
                received = self.receiver.recv_many(results, room) => {
                    if received == 0 {
                        break;
                    }
                }
                () = finish.cancelled() => break,
            }
        }
        true
    }

    async fn write(&self, results: &mut Vec<Finished>, finish: &CancellationToken) {
        let mut of_session: BTreeMap<SessionId, Batch> = BTreeMap::new();
        for result in results.drain(..) {
            let batch = of_session
                .entry(result.session.id)
                .or_insert_with(|| Batch {
                    session: result.session,
                    settlements: Vec::new(),
                    settled: Vec::new(),
                    frees_slots: false,
                });
            batch.frees_slots |= result.is_limited;
            batch.settlements.push(result.settlement);
            batch.settled.push((result.settled, result.measured));
        }
        for (
            id,
            Batch {
                session,
                settlements,
                settled,
                frees_slots,
            },
        ) in of_session
        {
            match self.settle(id, &settlements, finish).await {
                Some(refused) => {
                    session.written(settlements.iter().map(|it| it.key));
                    self.count(id, &settlements, &settled, &refused);
                    if frees_slots {
                        self.wakeups.freed();
                    }
                }
                None => {
                    error!(
                        jobs = settlements.len(),
                        "gave up writing results while stopping; these jobs will run again"
                    );
                    let mut report = lock(&self.report);
                    settled.iter().for_each(|_| report.count(Settled::Lost));
                    self.meters.count(|it| it.lost += settled.len() as u64);
                }
            }
        }
    }

    /// Tries until it is done; gives up only when the worker is stopping. Returns what was refused.
    async fn settle(
        &self,
        session: SessionId,
        settlements: &[Settlement],
        finish: &CancellationToken,
    ) -> Option<Vec<ClaimKey>> {
        let mut patience = Patience::default();
        let give_up = async {
            finish.cancelled().await;
            tokio::time::sleep(Self::LAST_WORDS).await;
        };
        tokio::pin!(give_up);
        let mut is_unsure = false;
        loop {
            let began = Instant::now();
            let attempt = in_time(SHORT_CALL, self.store.settle(session, settlements));
            let error = tokio::select! {
                result = attempt => match result {
                    Ok(refused) => {
                        let took = began.elapsed();
                        self.meters
                            .count(|it| it.settles.add(took, settlements.len()));
                        if !is_unsure || refused.is_empty() {
                            return Some(refused);
                        }
                        let is_written = tokio::select! {
                            lasts = self.lasts(session) => lasts,
                            () = &mut give_up => false,
                        };
                        return Some(if is_written { Vec::new() } else { refused });
                    }
                    Err(error) => error,
                },
                () = &mut give_up => return None,
            };
            is_unsure = true;
            self.meters.count(|it| it.failed_settles += 1);
            warn!(error = %Chain(&error), jobs = settlements.len(), "failed to write results; trying again");
            tokio::select! {
                () = tokio::time::sleep(patience.next_wait()) => {}
                () = &mut give_up => return None,
            }
        }
    }

    /// From a session that lasts nobody takes a job. If one was refused after a try that failed, it was that try
    /// which wrote its result: only the answer was lost.
    async fn lasts(&self, session: SessionId) -> bool {
        let mut patience = Patience::default();
        loop {
            let renewal = self.store.renew_session(session, self.lease);
            match in_time(SHORT_CALL, renewal).await {
                Ok(lasts) => return lasts,
                Err(_) => tokio::time::sleep(patience.next_wait()).await,
            }
        }
    }
}
