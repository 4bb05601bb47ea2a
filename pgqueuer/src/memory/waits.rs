//! Waiting for jobs to end. Mirrors `postgres/sql/ends.sql` and its like.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::broadcast::{
    Receiver, Sender,
    error::{RecvError, TryRecvError},
};

use super::state::{Live, Memory};
use crate::{
    job::JobId,
    store::{Became, Herald, JobEnd, JobRecord, News, Progress, ProgressToNote, SessionId},
};

/// Tells which jobs have ended or are held.
pub(super) struct Ends(Sender<JobId>);

impl Default for Ends {
    fn default() -> Self {
        // Who is further behind is told that anything may have ended.
        Self(Sender::new(4096))
    }
}

impl Ends {
    pub(super) fn tell(&self, id: JobId) {
        // Fails if nobody listens.
        let _ = self.0.send(id);
    }
}

pub(super) struct MemoryHerald(Receiver<JobId>);

#[async_trait]
impl Herald for MemoryHerald {
    async fn heard(&mut self) -> News {
        let mut ids = match self.0.recv().await {
            Ok(id) => vec![id],
            Err(RecvError::Lagged(_)) => return News::Anything,
            // Everything was deleted, and will not be told of again.
            Err(RecvError::Closed) => return std::future::pending().await,
        };
        loop {
            match self.0.try_recv() {
                Ok(id) => ids.push(id),
                Err(TryRecvError::Lagged(_)) => return News::Anything,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return News::Ended(ids),
            }
        }
    }
}

impl Memory {
    pub(super) fn herald(&self) -> MemoryHerald {
        MemoryHerald(self.ends.0.subscribe())
    }

    pub(super) fn ends(&self, ids: &[JobId], now: DateTime<Utc>) -> Vec<JobEnd> {
        let is_to_be_done = |id: &JobId| self.jobs.get(id).is_some_and(|it| it.state != Live::Held);
        let over = ids.iter().filter(|id| !is_to_be_done(id));
        let end = over.map(|id| JobEnd {
            id: *id,
            became: self.get_job(*id, now).map(Became::from),
        });
        end.collect()
    }

    pub(super) fn note_progress(
        &mut self,
        session: SessionId,
        progress: &[ProgressToNote],
        now: DateTime<Utc>,
    ) {
        for noted in progress {
            let job = self.jobs.get_mut(&noted.key.id);
            let Some(job) = job.filter(|it| it.is_held_by(session, noted.key.claim_number)) else {
                continue;
            };
            job.progress = Some(Progress {
                fraction: noted.fraction,
                note: noted.note.clone(),
                updated_at: now,
            });
        }
    }
}

impl From<JobRecord> for Became {
    fn from(record: JobRecord) -> Self {
        Self {
            state: record.state,
            kind: record.kind,
            attempt: record.attempt,
            failures: record.failures,
            result: record.result,
        }
    }
}
