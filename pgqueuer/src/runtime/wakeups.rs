//! What wakes an idle worker: the bell, and the clock.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tracing::warn;

use super::{Patience, spread};
use crate::{config::WorkerConfig, error::Chain, store::Store};

/// Merges the bell of the store and polling into one signal. Each clone waits by itself.
#[derive(Clone, Debug)]
pub(super) struct Wakeups {
    sender: Arc<watch::Sender<()>>,
    receiver: watch::Receiver<()>,
    poll_interval: Duration,
    listen: bool,
}

impl Wakeups {
    pub(super) fn new(config: &WorkerConfig) -> Self {
        let (sender, receiver) = watch::channel(());
        Self {
            sender: Arc::new(sender),
            receiver,
            poll_interval: config.poll_interval,
            listen: config.listen,
        }
    }

    /// Whether the bell was rung since it was last asked. Whoever looks after this, sees what
    /// the rings so far were about.
    pub(super) fn was_rung(&mut self) -> bool {
        // Fails only without a sender, and there is one in `self`.
        let was_rung = self.receiver.has_changed().unwrap_or(false);
        self.receiver.mark_unchanged();
        was_rung
    }

    /// Waits until there may be work: the bell was rung, or it is time to look anyway.
    pub(super) async fn next(&mut self) {
        self.next_within(self.poll_interval).await;
    }

    /// As [`next`](Self::next), but at most this long.
    pub(super) async fn next_within(&mut self, wait: Duration) {
        let poll = tokio::time::sleep(wait.min(spread(self.poll_interval, 0.1)));
        tokio::select! {
            _ = self.receiver.changed() => {}
            () = poll => {}
        }
    }

    /// Passes on the bell of the store. Runs until it is aborted.
    pub(super) async fn listen(self, store: Arc<dyn Store>) {
        if !self.listen {
            return;
        }
        let mut patience = Patience::default();
        let mut bell = loop {
            match store.bell().await {
                Ok(bell) => break bell,
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to listen; polling meanwhile");
                    tokio::time::sleep(patience.next_wait()).await;
                }
            }
        };
        // What was enqueued before the bell hung has not been heard.
        self.sender.send_replace(());
        loop {
            bell.rung().await;
            self.sender.send_replace(());
        }
    }
}
