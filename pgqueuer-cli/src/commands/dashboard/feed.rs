//! Reads the queue, and acts on it, while the keys are listened to.

use std::{pin::pin, time::Duration};

use pgqueuer::PgQueuer;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    data::{Data, Wanted},
    model::Trouble,
    operation::Operation,
};
use crate::exit::{ExitCode, Failure};

/// After how long people are told that a read takes its time. The pool tries to connect for 30 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a read may take before it is given up: a network may be silent.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// After a read it rests at least so many times as long as that took: who watches a large queue, or a
/// slow one, does not keep it busy.
const REST: u32 = 9;

/// But not so long that one wonders: the first read after an outage has taken as long as that.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// How long a decision may still take when somebody quits.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// What the dashboard is told.
#[derive(Debug)]
pub(super) enum News {
    Read(Box<Data>),
    Failed(Trouble),
    Done(Result<String, String>),
}

/// What to read.
#[derive(Clone, Debug)]
struct Asked {
    wanted: Wanted,
    is_frozen: bool,
}

#[derive(Debug)]
pub(super) struct Feed {
    pgq: PgQueuer,
    asked: watch::Sender<Asked>,
    news: mpsc::UnboundedReceiver<News>,
    to: mpsc::UnboundedSender<News>,
    operations: JoinSet<()>,
    reading: AbortOnDropHandle<()>,
}

impl Feed {
    /// Reads each `interval` from now on.
    pub(super) fn start(pgq: &PgQueuer, interval: Duration) -> Self {
        let (asked, asks) = watch::channel(Asked {
            wanted: Wanted::Overview,
            is_frozen: false,
        });
        let (to, news) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(pgq.clone(), interval, asks, to.clone()));
        Self {
            pgq: pgq.clone(),
            asked,
            news,
            to,
            operations: JoinSet::new(),
            reading: AbortOnDropHandle::new(reading),
        }
    }

    /// Reads this now, or as soon as what is being read is there; and then each interval, unless
    /// `is_frozen`.
    pub(super) fn ask(&self, wanted: Wanted, is_frozen: bool) {
        self.asked.send_replace(Asked { wanted, is_frozen });
    }

    /// Does something, beside the reading.
    pub(super) fn start_operation(&mut self, operation: Operation) {
        let (pgq, to) = (self.pgq.clone(), self.to.clone());
        while self.operations.try_join_next().is_some() {}
        self.operations.spawn(async move {
            let done = operation.run(&pgq).await;
            let done = done.map_err(|error| Failure::from(error).in_a_line());
            // Nobody is left to be told.
            let _ = to.send(News::Done(done));
        });
    }

    /// Fails when nothing comes any more, since the reading has panicked.
    pub(super) async fn news(&mut self) -> Result<News, Failure> {
        tokio::select! {
            biased;
            Some(news) = self.news.recv() => Ok(news),
            _ = &mut self.reading => Err(Failure::new(
                ExitCode::Unexpected,
                "the queue is not read any more",
            )),
        }
    }

    /// Lets what somebody has decided be done.
    pub(super) async fn finish(mut self) {
        let all = async { while self.operations.join_next().await.is_some() {} };
        // The database may not answer, and one wants to leave.
        let _ = timeout(FINISH_LIMIT, all).await;
    }
}

async fn read(
    pgq: PgQueuer,
    interval: Duration,
    mut asked: watch::Receiver<Asked>,
    to: mpsc::UnboundedSender<News>,
) {
    let mut newest = Instant::now();
    let mut rest = interval;
    loop {
        let is_frozen = asked.borrow().is_frozen;
        tokio::select! {
            is_asked = asked.changed() => if is_asked.is_err() {
                return;
            },
            () = sleep(rest), if !is_frozen => {}
        }
        let wanted = asked.borrow_and_update().wanted.clone();
        let began = Instant::now();
        let mut reading = pin!(Data::read(&pgq, wanted));
        let done = loop {
            if let Ok(done) = timeout(PATIENCE, &mut reading).await {
                break done.map_err(|error| Failure::from(error).in_a_line());
            }
            let message = "the database does not answer".to_owned();
            if began.elapsed() > READ_LIMIT {
                break Err(message);
            }
            let age = newest.elapsed();
            // Whether anybody is left is seen below.
            let _ = to.send(News::Failed(Trouble { message, age }));
        };
        rest = match done {
            Ok(_) => interval.max((began.elapsed() * REST).min(LONGEST_REST)),
            Err(_) => interval,
        };
        let news = match done {
            Ok(data) => {
                newest = began;
                News::Read(Box::new(data))
            }
            Err(message) => News::Failed(Trouble {
                message,
                age: newest.elapsed(),
            }),
        };
        if to.send(news).is_err() {
            return;
        }
    }
}
