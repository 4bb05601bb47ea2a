//! What wakes an idle worker: the bell, and the clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tracing::warn;

use super::{Patience, spread};
use crate::{
    config::WorkerConfig,
    error::Chain,
    store::{Ring, Store},
};

/// Merges the bell of the store and polling into one signal. Each clone waits by itself.
#[derive(Clone, Debug)]
pub(super) struct Wakeups {
    rung: Arc<Rung>,
    available: watch::Receiver<Option<News>>,
    scheduled: watch::Receiver<()>,
    cancelled: watch::Receiver<()>,
    poll_interval: Duration,
    listen: bool,
}

#[derive(Debug)]
struct Rung {
    available: watch::Sender<Option<News>>,
    scheduled: watch::Sender<()>,
    cancelled: watch::Sender<()>,
    /// How often the bell rang in all.
    count: AtomicU64,
    /// Whether the bell was asked for.
    armed: AtomicBool,
}

/// What has become available since somebody last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// Slots under a limit, by what this worker has settled.
    Freed,
    /// Jobs in lanes that are in use.
    Jobs,
    /// Perhaps jobs in other lanes, too.
    Lanes,
}

impl Wakeups {
    pub(super) fn new(config: &WorkerConfig) -> Self {
        let (available, available_receiver) = watch::channel(None);
        let (scheduled, scheduled_receiver) = watch::channel(());
        let (cancelled, cancelled_receiver) = watch::channel(());
        Self {
            rung: Arc::new(Rung {
                available,
                scheduled,
                cancelled,
                count: AtomicU64::new(0),
                armed: AtomicBool::new(false),
            }),
            available: available_receiver,
            scheduled: scheduled_receiver,
            cancelled: cancelled_receiver,
            poll_interval: config.poll_interval,
            listen: config.listen,
        }
    }

    /// Whether there is a bell at all.
    pub(super) fn listens(&self) -> bool {
        self.listen
    }

    /// How often the bell rang in all.
    pub(super) fn rings(&self) -> u64 {
        self.rung.count.load(Relaxed)
    }

    pub(super) fn is_armed(&self) -> bool {
        self.rung.armed.load(Relaxed)
    }

    pub(super) fn set_armed(&self, armed: bool) {
        self.rung.armed.store(armed, Relaxed);
    }

    /// What the bell was rung for since this was last asked. Whoever looks after this, sees
    /// what the rings so far were about.
    pub(super) fn news(&self) -> Option<News> {
        let mut news = None;
        self.rung.available.send_if_modified(|waiting| {
            news = waiting.take();
            // Who waits is not to be woken by this.
            false
        });
        news
    }

    /// Whether the bell was rung for jobs since anybody last asked for news.
    pub(super) fn is_rung(&self) -> bool {
        *self.available.borrow() == Some(News::Jobs)
    }

    /// Waits until there may be work: the bell was rung, or it is time to look anyway.
    pub(super) async fn next(&mut self) {
        let poll = spread(self.poll_interval, 0.1);
        tokio::select! {
            // Fails only without a sender, and there is one in `self`.
            _ = self.available.wait_for(Option::is_some) => {}
            () = tokio::time::sleep(poll) => {}
        }
    }

    /// The same, but no longer than until then.
    pub(super) async fn next_until(&mut self, then: Option<Instant>) {
        match then {
            None => self.next().await,
            Some(then) => {
                // Too late is as good as a ring.
                let _ = tokio::time::timeout_at(then.into(), self.next()).await;
            }
        }
    }

    /// Slots under a limit have become free.
    pub(super) fn freed(&self) {
        self.add(News::Freed);
    }

    fn add(&self, news: News) {
        // The next news must not hide news of lanes that nobody has heard yet.
        self.rung
            .available
            .send_modify(|waiting| *waiting = Some(waiting.map_or(news, |it| it.max(news))));
    }

    /// Waits until jobs were scheduled, or for as long as told, or until it is time to look
    /// anyway.
    pub(super) async fn scheduled_within(&mut self, wait: Duration) {
        // Without the bell, only the clock tells.
        let poll = if !self.listen {
            self.poll_interval
        } else if self.is_armed() {
            self.poll_interval * 5
        } else {
            Self::UNARMED_POLL.min(self.poll_interval)
        };
        tokio::select! {
            _ = self.scheduled.changed() => {}
            () = tokio::time::sleep(wait.min(spread(poll, 0.1))) => {}
        }
    }

    /// Waits until jobs were cancelled, or for as long as told.
    pub(super) async fn cancelled_within(&mut self, wait: Duration) {
        tokio::select! {
            _ = self.cancelled.changed() => {}
            () = tokio::time::sleep(spread(wait, 0.1)) => {}
        }
    }

    /// How often to look for scheduled jobs that nobody rang for, since all were busy.
    const UNARMED_POLL: Duration = Duration::from_millis(100);

    fn pass_on(&self, ring: Ring) {
        let rung = &self.rung;
        rung.count.fetch_add(1, Relaxed);
        match ring {
            Ring::Available => self.add(News::Jobs),
            Ring::Anything => self.add(News::Lanes),
            Ring::Scheduled | Ring::Cancelled => {}
        }
        if matches!(ring, Ring::Scheduled | Ring::Anything) {
            rung.scheduled.send_replace(());
        }
        if matches!(ring, Ring::Cancelled | Ring::Anything) {
            rung.cancelled.send_replace(());
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
        self.pass_on(Ring::Anything);
        loop {
            let ring = bell.rung().await;
            self.pass_on(ring);
        }
    }
}
