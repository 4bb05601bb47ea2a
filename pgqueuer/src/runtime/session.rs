//! Sessions: how a worker's jobs stay its own, and what happens when they do not.
//!
//! A session is one life of a worker. Its row in the store is renewed every third of the
//! lease, over a connection of its own; there is nothing to renew per job. If the row is gone
//! when it is renewed, other workers have taken over its jobs: the handlers are cancelled,
//! their results would be refused, and the worker begins another session.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use foldhash::HashMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{LONGEST_CALL, Patience, fronts::Fronts, in_time, meters::Meters};
use crate::{
    config::WorkerConfig,
    error::{Chain, Result},
    store::{ClaimKey, ClaimedJob, Holds, SessionId, Store},
};

/// One life of a worker. Cheap to clone: each of its jobs has one.
#[derive(Clone, Debug)]
pub(super) struct Session(Arc<Life>);

#[derive(Debug)]
pub(super) struct Life {
    pub(super) id: SessionId,
    /// Fires when its jobs belong to others.
    pub(super) lost: CancellationToken,
    /// Until when nobody else can have its jobs, by the clock of this process.
    sure_until: watch::Sender<Instant>,
    /// Which attempts are to be cancelled, and why.
    cancelled: watch::Sender<HashMap<ClaimKey, String>>,
    /// The claims that were received and are not written down yet, with their kinds.
    held: Mutex<HashMap<ClaimKey, String>>,
    pub(super) fronts: Fronts,
    /// A claim was sent, and its reply has not been received.
    is_unsure: AtomicBool,
}

impl Deref for Session {
    type Target = Life;

    fn deref(&self) -> &Life {
        &self.0
    }
}

impl Session {
    /// `began`: when it was asked for.
    fn new(id: SessionId, began: Instant, lease: Duration) -> Self {
        Self(Arc::new(Life {
            id,
            sure_until: watch::Sender::new(sure_until(began, lease)),
            lost: CancellationToken::new(),
            cancelled: watch::Sender::default(),
            held: Mutex::default(),
            fronts: Fronts::default(),
            is_unsure: AtomicBool::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimKey, String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until others may soon have its jobs, for all that this worker knows.
    pub(super) async fn is_unsure_of_its_jobs(&self) {
        let mut sure_until = self.sure_until.subscribe();
        loop {
            let until = *sure_until.borrow_and_update();
            if until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                // The sender is in `self`.
                _ = sure_until.changed() => {}
            }
        }
    }

    /// Cancels the attempt of a claim. Returns whether that is news.
    pub(super) fn cancel(&self, claim: ClaimKey, reason: String) -> bool {
        self.cancelled
            .send_if_modified(|cancelled| cancelled.insert(claim, reason).is_none())
    }

    /// Waits until the attempt of a claim is to be cancelled, and returns why.
    pub(super) async fn is_cancelled(&self, claim: ClaimKey) -> String {
        let mut cancelled = self.cancelled.subscribe();
        let told = cancelled.wait_for(|it| it.contains_key(&claim)).await;
        let reason = told.ok().and_then(|it| it.get(&claim).cloned());
        match reason {
            Some(reason) => reason,
            // Not reached: the sender is in `self`.
            None => std::future::pending().await,
        }
    }

    pub(super) fn received(&self, jobs: &[ClaimedJob]) {
        let claims = jobs.iter().map(|it| (it.key, it.kind.clone()));
        self.lock().extend(claims);
        self.fronts.note(jobs);
    }

    pub(super) fn written(&self, claims: impl Iterator<Item = ClaimKey>) {
        let mut held = self.lock();
        let forgets = !self.cancelled.borrow().is_empty();
        for claim in claims {
            held.remove(&claim);
            if forgets {
                self.cancelled.send_if_modified(|it| {
                    it.remove(&claim);
                    false
                });
            }
        }
    }

    /// Whether there may be jobs that it holds and does not know of.
    pub(super) fn is_unsure(&self) -> bool {
        self.is_unsure.load(Relaxed)
    }

    pub(super) fn set_unsure(&self, is_unsure: bool) {
        self.is_unsure.store(is_unsure, Relaxed);
    }

    pub(super) fn held(&self) -> Vec<ClaimKey> {
        self.lock().keys().copied().collect()
    }

    /// How many claims it holds, by kind.
    pub(super) fn held_by_kind(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for kind in self.lock().values() {
            match counts.get_mut(kind) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(kind.clone(), 1);
                }
            }
        }
        counts
    }
}

/// The present session of a worker.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    store: Arc<dyn Store>,
    worker: String,
    lease: Duration,
    current: Arc<RwLock<Session>>,
    steadiness: Arc<Mutex<Steadiness>>,
    meters: Meters,
    closed: CancellationToken,
}

/// How well the renewals go: who has just been cut off is no judge of the others.
#[derive(Clone, Copy, Debug)]
struct Steadiness {
    renewed: Instant,
    /// Since when no renewal was late.
    since: Instant,
}

impl Sessions {
    /// How long closing may take before it is left to the lease to run out.
    const CLOSING: Duration = Duration::from_secs(10);

    pub(super) async fn open(
        store: Arc<dyn Store>,
        config: &WorkerConfig,
        meters: Meters,
    ) -> Result<Self> {
        let began = Instant::now();
        let id = store.open_session(&config.name, config.lease).await?;
        Ok(Self {
            store,
            worker: config.name.clone(),
            lease: config.lease,
            current: Arc::new(RwLock::new(Session::new(id, began, config.lease))),
            steadiness: Arc::new(Mutex::new(Steadiness {
                renewed: Instant::now(),
                since: Instant::now(),
            })),
            meters,
            closed: CancellationToken::new(),
        })
    }

    pub(super) fn current(&self) -> Session {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a lease that has run out means that its worker is dead.
    ///
    /// When the database was away, all leases have run out. Then the living must be given the
    /// time to renew theirs, and a worker that has just started cannot know whether that is
    /// the case. A failed renewal is repeated at least every sixth of the lease.
    pub(super) fn may_judge_others(&self) -> bool {
        let steadiness = *self.lock_steadiness();
        steadiness.renewed.elapsed() < self.lease / 2
            && steadiness.since.elapsed() >= self.lease / 2
    }

    fn lock_steadiness(&self) -> MutexGuard<'_, Steadiness> {
        self.steadiness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn note_renewal(&self) {
        let now = Instant::now();
        let mut steadiness = self.lock_steadiness();
        if steadiness.renewed.elapsed() > self.lease / 2 {
            steadiness.since = now;
        }
        steadiness.renewed = now;
    }

    /// Whether the jobs of this worker are still its own; makes sure that they stay so.
    pub(super) async fn is_alive(&self) -> Result<bool> {
        let session = self.current();
        in_time(
            self.lease / 3,
            self.store.renew_session(session.id, self.lease),
        )
        .await
    }

    /// Renews the session until it is closed.
    pub(super) async fn renew(self) {
        let mut patience = Patience::default();
        let mut wait = self.lease / 3;
        while self.pause(wait).await {
            let session = self.current();
            let began = Instant::now();
            wait = match self.is_alive().await {
                Ok(true) => {
                    patience.reset();
                    self.meters.count(|it| it.renewals += 1);
                    let until = sure_until(began, self.lease);
                    session.sure_until.send_replace(until);
                    self.note_renewal();
                    self.lease / 3
                }
                Ok(false) => {
                    error!(session = %session.id, "the lease was lost; other workers run these jobs now");
                    self.meters.count(|it| it.lost_leases += 1);
                    session.lost.cancel();
                    self.begin_another().await;
                    self.lease / 3
                }
                // Nobody can take over the jobs while the database is away.
                Err(error) => {
                    self.meters.count(|it| it.failed_renewals += 1);
                    warn!(error = %Chain(&error), "failed to renew the session");
                    patience.next_wait().min(self.lease / 6)
                }
            };
        }
    }

    async fn begin_another(&self) {
        let mut patience = Patience::default();
        loop {
            // One that was opened after all, and that nobody knows of, holds nothing.
            let began = Instant::now();
            let opening = self.store.open_session(&self.worker, self.lease);
            match in_time(LONGEST_CALL, opening).await {
                Ok(id) => {
                    info!(session = %id, "opened another session");
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Session::new(id, began, self.lease);
                    return;
                }
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to open another session");
                    if !self.pause(patience.next_wait()).await {
                        return;
                    }
                }
            }
        }
    }

    /// Waits; `false` if the session was closed meanwhile.
    async fn pause(&self, wait: Duration) -> bool {
        let waited = self.closed.run_until_cancelled(tokio::time::sleep(wait));
        waited.await.is_some()
    }

    /// Ends the session; the renewal ends with it.
    pub(super) async fn close(&self) {
        // The renewal first: it would take the closed session for a lost one.
        self.closed.cancel();
        let session = self.current();
        let held = session.held();
        let holds = if session.is_unsure() {
            Holds::Unsure
        } else {
            Holds::Only(&held)
        };
        let closing = self.store.close_session(session.id, holds);
        match tokio::time::timeout(Self::CLOSING, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(error = %Chain(&error), "failed to close the session; its lease will run out");
            }
            Err(_) => warn!("closing the session took too long; its lease will run out"),
        }
    }
}

/// A lease that was asked for at a time does not run out before this, whatever the store's clock
/// says: it began no sooner. A sixth of it is left for handlers to come to an end.
fn sure_until(began: Instant, lease: Duration) -> Instant {
    began + lease * 5 / 6
}
