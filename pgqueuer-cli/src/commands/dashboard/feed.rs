//! Reads the queue, and acts on it, while the keys are listened to.

use std::time::Duration;

use pgqueuer::PgQueuer;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    data::{Data, Wanted},
    model::Trouble,
    operation::Operation,
    reader::{Asked, Reader},
};
use crate::exit::{ExitCode, Failure};

/// How long a decision may still take when somebody quits.
const FINISH_LIMIT: Duration = Duration::from_secs(5);

/// What the dashboard is told.
#[derive(Debug)]
pub(super) enum News {
    Read {
        data: Box<Data>,
        /// How long it rests now.
        rest: Duration,
    },
    Failed(Trouble),
    Done(Result<String, String>),
}

#[derive(Debug)]
pub(super) struct Feed {
    pgq: PgQueuer,
    asked: watch::Sender<Asked>,
    /// One at a time: while the terminal takes nothing, nothing is read.
    news: mpsc::Receiver<News>,
    operations: JoinSet<()>,
    done: mpsc::UnboundedReceiver<Result<String, String>>,
    to_done: mpsc::UnboundedSender<Result<String, String>>,
    reading: AbortOnDropHandle<()>,
}

impl Feed {
    /// Reads each `interval` from now on.
    pub(super) fn start(pgq: &PgQueuer, interval: Duration) -> Self {
        let (asked, asks) = watch::channel(Asked::default());
        let (to, news) = mpsc::channel(1);
        let (to_done, done) = mpsc::unbounded_channel();
        let reading = tokio::spawn(Reader::new(pgq.clone(), interval, asks, to).run());
        Self {
            pgq: pgq.clone(),
            asked,
            news,
            operations: JoinSet::new(),
            done,
            to_done,
            reading: AbortOnDropHandle::new(reading),
        }
    }

    /// Reads this now, and then each interval.
    pub(super) fn ask(&self, wanted: Wanted) {
        self.asked.send_modify(|it| {
            it.wanted = wanted;
            it.times += 1;
        });
    }

    /// Reads only what is asked for from now on; or goes on, with a read.
    pub(super) fn freeze(&self, is_frozen: bool) {
        self.asked.send_modify(|it| {
            it.is_frozen = is_frozen;
            it.times += u64::from(!is_frozen);
        });
    }

    /// Does something, beside the reading.
    pub(super) fn start_operation(&mut self, operation: Operation) {
        let (pgq, to) = (self.pgq.clone(), self.to_done.clone());
        while self.operations.try_join_next().is_some() {}
        self.operations.spawn(async move {
            let done = operation.run(&pgq).await;
            let done = done.map_err(|error| Failure::from(error).in_a_line());
            // Nobody is left to be told.
            let _ = to.send(done);
        });
    }

    /// Fails when nothing comes any more, since the reading has panicked.
    pub(super) async fn news(&mut self) -> Result<News, Failure> {
        tokio::select! {
            biased;
            Some(done) = self.done.recv() => Ok(News::Done(done)),
            Some(news) = self.news.recv() => Ok(news),
            _ = &mut self.reading => Err(Failure::new(
                ExitCode::Unexpected,
                "the queue is not read any more",
            )),
        }
    }

    /// Lets what somebody has decided be done, and says what came of it.
    pub(super) async fn finish(mut self) -> Vec<String> {
        let all = async { while self.operations.join_next().await.is_some() {} };
        // The database may not answer, and one wants to leave.
        let is_late = timeout(FINISH_LIMIT, all).await.is_err();
        let mut said = Vec::new();
        while let Ok(done) = self.done.try_recv() {
            said.push(done.unwrap_or_else(|why| format!("failed: {why}")));
        }
        if is_late {
            let limit = FINISH_LIMIT.as_secs();
            said.push(format!(
                "the database has not answered for {limit} s: what was decided last may be done or not"
            ));
        }
        said
    }
}
