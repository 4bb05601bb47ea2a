//! Jobs that are held, and what does not go on. Mirrors `postgres/sql/list_held.sql` and its like.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{Live, LiveJob, Memory};
use crate::{
    job::JobId,
    store::{HeldJob, Stale, StaleRecord},
};

/// Other workers end a session within seconds that is over.
const ENDED_WITHIN: TimeDelta = TimeDelta::seconds(10);

impl Memory {
    pub(super) fn list_held(&self, kinds: Option<&[String]>, limit: u32) -> Vec<HeldJob> {
        let held = self.jobs.iter().rev().filter(|(_, job)| {
            job.state == Live::Held && kinds.is_none_or(|it| it.contains(&job.kind))
        });
        let held = held.map(|(id, job)| {
            let last = job.failures.last();
            HeldJob {
                id: *id,
                kind: job.kind.clone(),
                attempt: job.attempt,
                failed_at: last.and_then(|it| it.failed_at),
                reason: last.map(|it| it.reason),
                message: last.map_or(String::new(), |it| it.message.chars().take(1000).collect()),
            }
        });
        held.take(limit as usize).collect()
    }

    pub(super) fn list_stale(
        &self,
        waits: Duration,
        runs: Duration,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Vec<StaleRecord> {
        let is_attended = self.sessions.values().any(|it| it.expires_at > now);
        let jobs = self.jobs.iter().filter_map(|(id, job)| {
            let record = self.stale(*id, job, waits, runs, now)?;
            Some(StaleRecord {
                is_attended,
                ..record
            })
        });
        let over = self
            .sessions
            .iter()
            .filter(|(_, it)| it.expires_at < now - ENDED_WITHIN);
        let sessions = over.map(|(id, session)| StaleRecord {
            what: Stale::Session,
            id: id.0,
            kind: String::new(),
            since: session.expires_at,
            worker: Some(session.worker.clone()),
            is_lost: true,
            is_attended,
        });
        let mut stale: Vec<StaleRecord> = jobs.chain(sessions).collect();
        stale.sort_by_key(|it| (it.since, it.id));
        stale.truncate(limit as usize);
        stale
    }

    fn stale(
        &self,
        id: JobId,
        job: &LiveJob,
        waits: Duration,
        runs: Duration,
        now: DateTime<Utc>,
    ) -> Option<StaleRecord> {
        let session = job.claimed_by.and_then(|it| self.sessions.get(&it));
        let session = session.filter(|it| it.expires_at > now);
        let is_lost = job.claimed_by.is_some() && session.is_none();
        let (what, since, patience) = match (job.claimed_at, job.state) {
            (_, Live::Held) => return None,
            (_, Live::Scheduled) => (Stale::Overdue, job.run_at, waits),
            (Some(since), _) if job.claimed_by.is_some() => (Stale::Running, since, runs),
            _ => (Stale::Waiting, job.run_at.max(job.enqueued_at), waits),
        };
        (is_lost || since < now - patience).then(|| StaleRecord {
            what,
            id: id.as_i64(),
            kind: job.kind.clone(),
            since,
            worker: session.map(|it| it.worker.clone()),
            is_lost,
            is_attended: false,
        })
    }
}
