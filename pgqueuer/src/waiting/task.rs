//! The task that waits for all.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::Shared;
use crate::{
    error::{Chain, ErrorKind, Result},
    job::JobId,
    runtime::{SHORT_CALL, in_time},
    store::{News, Store, WatcherId},
};

/// For how long it is said that somebody waits, and how often that is said again.
const SAID_FOR: Duration = Duration::from_secs(60);
const SAY_EVERY: Duration = Duration::from_secs(20);

/// How often to look at all while notifications are heard. At first soon, doubled from look to look: a job
/// that was ending when its kind was said is not told of.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The same where none are heard.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// How long to stay after the last job has ended: the next one comes soon, as often as not.
const LINGER: Duration = Duration::from_secs(30);

/// So many jobs are looked at in one statement.
const AT_ONCE: usize = 10_000;

pub(super) struct Task {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    listening: Option<Listening>,
    /// No notification gets through: there is a pooler.
    is_deaf: bool,
    watcher: Option<WatcherId>,
    said: Vec<String>,
    said_at: Option<Instant>,
    next_look: Instant,
    pause: Duration,
}

/// Listens all the time: while it connects again, it is not to be disturbed.
struct Listening {
    news: mpsc::Receiver<News>,
    _task: AbortOnDropHandle<()>,
}

/// What has to be looked at.
enum Look {
    Fresh,
    At(Vec<JobId>),
    All,
}

impl Task {
    pub(super) fn new(store: Arc<dyn Store>, shared: Arc<Shared>) -> Self {
        Self {
            store,
            shared,
            listening: None,
            is_deaf: false,
            watcher: None,
            said: Vec::new(),
            said_at: None,
            next_look: Instant::now(),
            pause: FIRST_LOOK,
        }
    }

    /// Runs until nobody has waited for a while.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        while let Some(look) = self.next().await {
            let Err(error) = self.work(look).await else {
                failures = 0;
                continue;
            };
            if error.kind() != ErrorKind::Database {
                // It will not mend itself.
                self.shared.waiters().fail_all(&error);
                continue;
            }
            warn!(error = %Chain(&error), "failed to look for jobs that are waited for; trying again");
            let pause = POLL_EVERY * 2_u32.pow(failures) / 4;
            failures = (failures + 1).min(6);
            tokio::time::sleep(spread(pause.min(LOOK_EVERY))).await;
            // Whatever it was about.
            self.next_look = Instant::now();
        }
        if let Some(watcher) = self.watcher {
            // If that fails, its time is over soon.
            let saying = self.store.await_kinds(Some(watcher), &[], Duration::ZERO);
            let _ = in_time(SHORT_CALL, saying).await;
        }
    }

    /// Waits for something to look at. `None`: nobody waits any more.
    async fn next(&mut self) -> Option<Look> {
        let changed = self.shared.changed.notified();
        if self.shared.waiters().is_empty() {
            let came = tokio::time::timeout(LINGER, changed).await.is_ok();
            if !came && self.shared.waiters().end() {
                return None;
            }
            return Some(Look::Fresh);
        }
        let heard = async {
            match &mut self.listening {
                Some(listening) => listening.news.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            news = heard => Some(match news {
                Some(News::Ended(ids)) => Look::At(ids),
                Some(News::Anything) => Look::All,
                None => {
                    self.listening = None;
                    Look::All
                }
            }),
            () = changed => Some(Look::Fresh),
            () = tokio::time::sleep_until(self.next_look) => Some(Look::All),
        }
    }

    async fn work(&mut self, look: Look) -> Result<()> {
        // In this order, so that no end is missed: what is not told from here on is seen.
        self.listen().await;
        if let Err(error) = self.say().await {
            // Nobody will tell: it may not be allowed to write. Looking is enough to go on.
            debug!(error = %Chain(&error), "failed to say that somebody waits; polling");
            self.said_at = None;
            self.pause = self.pause.min(POLL_EVERY);
        }
        let is_due = Instant::now() >= self.next_look;
        let ids = {
            let mut waiters = self.shared.waiters();
            let fresh = waiters.take_fresh();
            match look {
                Look::All => waiters.all(),
                _ if is_due => waiters.all(),
                Look::Fresh => waiters.of(fresh),
                Look::At(ids) => waiters.of([ids, fresh].concat()),
            }
        };
        for part in ids.chunks(AT_ONCE) {
            let ends = in_time(SHORT_CALL, self.store.ends(part)).await?;
            self.shared.waiters().tell(ends);
        }
        if is_due {
            let is_told = self.listening.is_some() && self.said_at.is_some();
            let longest = match is_told {
                true => LOOK_EVERY,
                false => POLL_EVERY,
            };
            self.next_look = Instant::now() + spread(self.pause);
            self.pause = longest.min(self.pause * 2);
        }
        Ok(())
    }

    /// Subscribes, if need be. If that fails, it looks more often meanwhile.
    async fn listen(&mut self) {
        if self.listening.is_some() || self.is_deaf {
            return;
        }
        match in_time(SHORT_CALL, self.store.herald()).await {
            Ok(mut herald) => {
                let (sender, news) = mpsc::channel(64);
                let listening =
                    async move { while sender.send(herald.heard().await).await.is_ok() {} };
                self.listening = Some(Listening {
                    news,
                    _task: AbortOnDropHandle::new(tokio::spawn(listening)),
                });
                // What has ended before has not been heard.
                self.look_soon();
            }
            Err(error) => {
                self.is_deaf = error.kind() == ErrorKind::Config;
                debug!(error = %Chain(&error), "no notifications; polling");
                self.pause = self.pause.min(POLL_EVERY);
            }
        }
    }

    /// Says which kinds are waited for, if that is news, or was said long ago.
    async fn say(&mut self) -> Result<()> {
        let kinds = self.shared.waiters().kinds();
        let ago = self.said_at.map(|it| it.elapsed());
        let is_known = kinds == self.said && ago.is_some_and(|it| it < SAID_FOR / 2);
        if is_known && ago.is_some_and(|it| it < SAY_EVERY) {
            return Ok(());
        }
        let saying = self.store.await_kinds(self.watcher, &kinds, SAID_FOR);
        self.watcher = Some(in_time(SHORT_CALL, saying).await?);
        self.said = kinds;
        self.said_at = Some(Instant::now());
        if !is_known {
            self.look_soon();
        }
        Ok(())
    }

    fn look_soon(&mut self) {
        self.next_look = Instant::now();
        self.pause = FIRST_LOOK;
    }
}

/// All who wait for the same database would look at the same time.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.8 + 0.4 * fastrand::f64())
}
