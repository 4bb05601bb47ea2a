//! Reads what is on the page, again and again, and never so that the queue has no rest.
//!
//! A read that is under way is left alone: its statement would go on in the database without us.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pgqueuer::PgQueuer;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    data::{Data, Wanted},
    feed::News,
    model::Trouble,
};
use crate::exit::Failure;

/// After how long people are told that a read takes its time. The pool tries to connect for 30 s.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) const NO_ANSWER: &str = "the database does not answer";

/// How long nothing at all may come of a read before another is begun: a network may be silent.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(60);

/// The same for a list on a huge queue, of which an overview has come.
const LONGEST_READ: Duration = Duration::from_secs(600);

/// So many reads are under way at most: beside the one that counts, one that another page was asked for
/// before, or that a network has swallowed.
const READS: usize = 2;

/// After a read it rests at least so many times as long as that took: who watches a large queue, or a
/// slow one, does not keep it busy.
const REST: u32 = 9;

/// But not so long that one wonders: the first read after an outage has taken as long as that.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// What is read from: a queue.
pub(super) trait Source: Clone + Send + 'static {
    /// Says when the overview is there: what comes then may take longer.
    fn read(
        &self,
        wanted: Wanted,
        has_overview: impl FnOnce() + Send,
    ) -> impl Future<Output = pgqueuer::Result<Data>> + Send;
}

impl Source for PgQueuer {
    async fn read(
        &self,
        wanted: Wanted,
        has_overview: impl FnOnce() + Send,
    ) -> pgqueuer::Result<Data> {
        Data::read(self, wanted, has_overview).await
    }
}

/// What to read.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    /// How often somebody has asked. Each time it is read at once.
    pub(super) times: u64,
    /// Nothing is read but what somebody has asked for.
    pub(super) is_frozen: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            wanted: Wanted::Overview,
            times: 0,
            is_frozen: false,
        }
    }
}

/// A read that is under way.
#[derive(Clone, Debug)]
struct Read {
    began: Instant,
    /// Somebody has asked for it.
    is_asked: bool,
    has_overview: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Answer {
    read: Read,
    result: Result<Data, String>,
}

pub(super) struct Reader<S> {
    source: S,
    interval: Duration,
    asked: watch::Receiver<Asked>,
    to: mpsc::Sender<News>,
    reads: JoinSet<Answer>,
    /// The one that began last, while it has not answered.
    last: Option<Read>,
    /// How often somebody had asked when that began.
    heard: u64,
    /// When what was told last had begun to be read.
    newest: Instant,
    /// When the next begins by itself.
    next: Instant,
    /// When to say that the last one takes its time.
    complaint: Instant,
}

impl<S: Source> Reader<S> {
    pub(super) fn new(
        source: S,
        interval: Duration,
        asked: watch::Receiver<Asked>,
        to: mpsc::Sender<News>,
    ) -> Self {
        let now = Instant::now();
        Self {
            source,
            interval,
            asked,
            to,
            reads: JoinSet::new(),
            last: None,
            heard: 0,
            newest: now,
            next: now + interval,
            complaint: now,
        }
    }

    /// Until nobody listens, or a read has panicked.
    pub(super) async fn run(mut self) {
        loop {
            let Asked {
                times, is_frozen, ..
            } = *self.asked.borrow_and_update();
            let has_place = self.reads.len() < READS;
            if has_place && times > self.heard {
                self.heard = times;
                self.begin(true);
                continue;
            }
            let news = tokio::select! {
                is_asked = self.asked.changed() => match is_asked {
                    Ok(()) => None,
                    Err(_) => return,
                },
                Some(answer) = self.reads.join_next() => match answer {
                    Ok(answer) => self.take(answer, is_frozen),
                    Err(_) => return,
                },
                () = sleep_until(self.next), if self.last.is_none() && has_place && !is_frozen => {
                    self.begin(false);
                    None
                }
                () = sleep_until(self.complaint), if self.last.is_some() => {
                    self.complain(is_frozen)
                }
            };
            if let Some(news) = news
                && self.to.send(news).await.is_err()
            {
                return;
            }
        }
    }

    fn begin(&mut self, is_asked: bool) {
        let read = Read {
            began: Instant::now(),
            is_asked,
            has_overview: Arc::default(),
        };
        self.complaint = read.began + PATIENCE;
        self.last = Some(read.clone());
        let source = self.source.clone();
        let wanted = self.asked.borrow().wanted.clone();
        self.reads.spawn(async move {
            let has_overview = || read.has_overview.store(true, Ordering::Relaxed);
            let result = source.read(wanted, has_overview).await;
            let result = result.map_err(|error| Failure::from(error).in_a_line());
            Answer { read, result }
        });
    }

    fn take(&mut self, Answer { read, result }: Answer, is_frozen: bool) -> Option<News> {
        let is_last = self.last.as_ref().is_some_and(|it| it.began == read.began);
        let took = read.began.elapsed();
        let rest = self.interval.max((took * REST).min(LONGEST_REST));
        if is_last {
            self.last = None;
            self.next = Instant::now() + rest;
        }
        if is_frozen && !read.is_asked {
            // What is on the screen is to stay.
            return None;
        }
        match result {
            Ok(data) if read.began >= self.newest => {
                self.newest = read.began;
                let data = Box::new(data);
                Some(News::Read { data, rest })
            }
            Err(message) if is_last => Some(self.failed(message, false)),
            // The one that counts speaks for itself.
            Ok(_) | Err(_) => None,
        }
    }

    fn complain(&mut self, is_frozen: bool) -> Option<News> {
        self.complaint = Instant::now() + PATIENCE;
        let last = self.last.as_ref()?;
        if is_frozen && !last.is_asked {
            return None;
        }
        let is_slow = last.has_overview.load(Ordering::Relaxed);
        let limit = if is_slow { LONGEST_READ } else { READ_LIMIT };
        if last.began.elapsed() > limit {
            // It may never answer.
            self.last = None;
        }
        let said = if is_slow { "still reading" } else { NO_ANSWER };
        Some(self.failed(said.to_owned(), is_slow))
    }

    fn failed(&self, message: String, is_slow: bool) -> News {
        News::Failed(Trouble {
            message,
            newest: self.newest,
            is_slow,
        })
    }
}
