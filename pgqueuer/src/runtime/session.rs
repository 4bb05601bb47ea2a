//! Sessions: how a worker's jobs stay its own, and what happens when they do not.
//!
//! A session is one life of a worker. Its row in the store is renewed every third of the
//! lease, over a connection of its own; there is nothing to renew per job. If the row is gone
//! when it is renewed, other workers have taken over its jobs: the handlers are cancelled,
//! their results would be refused, and the worker begins another session.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Patience;
use crate::{
    config::WorkerConfig,
    error::{Chain, Result},
    store::{ClaimKey, SessionId, Store},
};

/// One life of a worker.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// Fires when its jobs belong to others.
    pub(super) lost: CancellationToken,
    /// The claims that were received and are not written down yet.
    held: Arc<Mutex<HashSet<ClaimKey>>>,
}

impl Session {
    fn new(id: SessionId) -> Self {
        Self {
            id,
            lost: CancellationToken::new(),
            held: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ClaimKey>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn received(&self, claim: ClaimKey) {
        self.lock().insert(claim);
    }

    pub(super) fn written(&self, claim: ClaimKey) {
        self.lock().remove(&claim);
    }

    pub(super) fn held(&self) -> Vec<ClaimKey> {
        self.lock().iter().copied().collect()
    }
}

/// The present session of a worker.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    store: Arc<dyn Store>,
    worker: String,
    lease: Duration,
    current: Arc<RwLock<Session>>,
    closed: CancellationToken,
}

impl Sessions {
    /// How long closing may take before it is left to the lease to run out.
    const CLOSING: Duration = Duration::from_secs(5);

    pub(super) async fn open(store: Arc<dyn Store>, config: &WorkerConfig) -> Result<Self> {
        let id = store.open_session(&config.name, config.lease).await?;
        Ok(Self {
            store,
            worker: config.name.clone(),
            lease: config.lease,
            current: Arc::new(RwLock::new(Session::new(id))),
            closed: CancellationToken::new(),
        })
    }

    pub(super) fn current(&self) -> Session {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Renews the session until it is closed.
    pub(super) async fn renew(self) {
        let mut patience = Patience::default();
        let mut wait = self.lease / 3;
        while self.pause(wait).await {
            let session = self.current();
            wait = match self.store.renew_session(session.id, self.lease).await {
                Ok(true) => {
                    patience.reset();
                    self.lease / 3
                }
                Ok(false) => {
                    error!(session = %session.id, "the lease was lost; other workers run these jobs now");
                    session.lost.cancel();
                    self.begin_another().await;
                    self.lease / 3
                }
                // The lease outlasts two failed renewals, and nobody can take over the jobs
                // while the database is away.
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to renew the session");
                    patience.next_wait()
                }
            };
        }
    }

    async fn begin_another(&self) {
        let mut patience = Patience::default();
        loop {
            match self.store.open_session(&self.worker, self.lease).await {
                Ok(id) => {
                    info!(session = %id, "opened another session");
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Session::new(id);
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
        let session = self.current();
        let closing = self.store.close_session(session.id);
        match tokio::time::timeout(Self::CLOSING, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!(error = %Chain(&error), "failed to close the session; its lease will run out");
            }
            Err(_) => warn!("closing the session took too long; its lease will run out"),
        }
        self.closed.cancel();
    }
}
