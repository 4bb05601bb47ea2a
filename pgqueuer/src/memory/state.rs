//! What the store in memory holds, and each step on it. Mirrors `postgres/sql/`.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use super::{limits::Rules, schedules, unique::Windows, waits::Ends};
use crate::{
    context::Headers,
    job::JobId,
    payload::Payload,
    store::{
        ClaimKey, Crash, Ending, Failure, FailureReason, JobRecord, JobState, JobToEnqueue,
        KindRecord, Measures, Progress, RunAt, SessionId, WorkerReport,
    },
};

/// How many failures are kept with a job; the same as in `pgqueuer.add_failure`.
const MAX_FAILURES: usize = 10;

#[derive(Default)]
pub(super) struct Memory {
    pub(super) jobs: BTreeMap<JobId, LiveJob>,
    pub(super) history: BTreeMap<JobId, FinishedJob>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) kinds: BTreeMap<String, KindRecord>,
    pub(super) schedules: BTreeMap<String, schedules::Row>,
    /// By when the minute began, and the kind.
    pub(super) minutes: BTreeMap<(DateTime<Utc>, String), Measures>,
    pub(super) totals: BTreeMap<String, Measures>,
    pub(super) rules: Rules,
    pub(super) windows: Windows,
    pub(super) ends: Ends,
    /// Ids and places in line; both only ever grow.
    positions: i64,
    last_session: i64,
}

pub(super) struct LiveJob {
    pub(super) kind: String,
    pub(super) state: Live,
    pub(super) position: i64,
    pub(super) priority: i16,
    pub(super) enqueued_at: DateTime<Utc>,
    pub(super) run_at: DateTime<Utc>,
    pub(super) claimed_by: Option<SessionId>,
    pub(super) claimed_at: Option<DateTime<Utc>>,
    pub(super) claim_number: i32,
    pub(super) attempt: u16,
    pub(super) payload: Payload,
    pub(super) headers: Headers,
    pub(super) failures: Vec<Failure>,
    /// It was begun under a limit.
    pub(super) slot: bool,
    pub(super) limit_key: Option<String>,
    pub(super) unique_key: Option<String>,
    pub(super) cancel_reason: Option<String>,
    /// Of the present claim.
    pub(super) progress: Option<Progress>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    Scheduled,
    Available,
    Held,
}

impl Live {
    /// Of a job that is to run then.
    pub(super) fn of(run_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match run_at > now {
            true => Self::Scheduled,
            false => Self::Available,
        }
    }
}

/// When a job is to run that is enqueued now.
pub(super) fn due(run_at: RunAt, now: DateTime<Utc>) -> DateTime<Utc> {
    match run_at {
        RunAt::Now => now,
        RunAt::After(delay) => now + delay,
        RunAt::At(time) => time,
    }
}

pub(super) struct FinishedJob {
    pub(super) record: JobRecord,
    pub(super) expires_at: DateTime<Utc>,
}

pub(super) struct Session {
    pub(super) worker: String,
    pub(super) started_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) is_idle: bool,
    pub(super) report: Option<WorkerReport>,
}

impl LiveJob {
    /// To a place in line that was taken anew; in the line of a key, it keeps its own.
    pub(super) fn take_place(&mut self, position: i64) {
        if !self.slot || self.limit_key.is_none() {
            self.position = position;
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state == Live::Available && self.claimed_by.is_none()
    }

    pub(super) fn is_held_by(&self, session: SessionId, claim_number: i32) -> bool {
        self.claimed_by == Some(session) && self.claim_number == claim_number
    }

    pub(super) fn add_failure(&mut self, failure: Option<Failure>, now: DateTime<Utc>) {
        let Some(failure) = failure else { return };
        self.failures.push(Failure {
            failed_at: Some(now),
            ..failure
        });
        let excess = self.failures.len().saturating_sub(MAX_FAILURES);
        self.failures.drain(..excess);
    }

    pub(super) fn record(&self, id: JobId) -> JobRecord {
        JobRecord {
            id,
            kind: self.kind.clone(),
            state: match (self.claimed_by, self.state) {
                (Some(_), _) => JobState::Running,
                (None, Live::Scheduled) => JobState::Scheduled,
                (None, Live::Available) => JobState::Available,
                (None, Live::Held) => JobState::Held,
            },
            priority: self.priority,
            attempt: self.attempt,
            enqueued_at: self.enqueued_at,
            run_at: Some(self.run_at),
            claimed_at: self.claimed_at,
            finished_at: None,
            payload: Some(self.payload.clone()),
            headers: self.headers.clone(),
            failures: self.failures.clone(),
            result: None,
            progress: self.progress.clone().filter(|_| self.claimed_by.is_some()),
        }
    }
}

impl Memory {
    pub(super) fn next_position(&mut self) -> i64 {
        self.positions += 1;
        self.positions
    }

    pub(super) fn enqueue(&mut self, jobs: &[JobToEnqueue], now: DateTime<Utc>) -> Vec<JobId> {
        jobs.iter().map(|job| self.enqueue_one(job, now)).collect()
    }

    pub(super) fn enqueue_one(&mut self, job: &JobToEnqueue, now: DateTime<Utc>) -> JobId {
        let position = self.next_position();
        let run_at = due(job.run_at, now);
        let id = JobId::from(position);
        let live = LiveJob {
            kind: job.kind.clone().into_owned(),
            state: Live::of(run_at, now),
            position,
            priority: job.priority,
            enqueued_at: now,
            run_at,
            claimed_by: None,
            claimed_at: None,
            claim_number: 0,
            attempt: 0,
            payload: job.payload.clone(),
            headers: job.headers.clone(),
            failures: Vec::new(),
            slot: false,
            limit_key: job.limit_key.clone(),
            unique_key: None,
            cancel_reason: None,
            progress: None,
        };
        self.jobs.insert(id, live);
        id
    }

    pub(super) fn open_session(
        &mut self,
        worker: &str,
        started_at: DateTime<Utc>,
        lease: Duration,
    ) -> SessionId {
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let session = Session {
            worker: worker.to_owned(),
            started_at,
            expires_at: started_at + lease,
            is_idle: false,
            report: None,
        };
        self.sessions.insert(id, session);
        id
    }

    pub(super) fn renew_session(&mut self, id: SessionId, expires_at: DateTime<Utc>) -> bool {
        let session = self.sessions.get_mut(&id);
        session.map(|it| it.expires_at = expires_at).is_some()
    }

    pub(super) fn close_session(&mut self, session: SessionId, now: DateTime<Utc>) -> u64 {
        self.sessions.remove(&session);
        self.reconcile(session, &[], now)
    }

    pub(super) fn reconcile(
        &mut self,
        session: SessionId,
        known: &[ClaimKey],
        now: DateTime<Utc>,
    ) -> u64 {
        let mut given_back = 0;
        for id in self.claimed_by(session) {
            let position = self.next_position();
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            let claim_number = job.claim_number;
            if !known.contains(&ClaimKey { id, claim_number }) {
                job.claimed_by = None;
                job.run_at = now;
                job.attempt -= 1;
                job.take_place(position);
                given_back += 1;
            }
        }
        given_back
    }

    pub(super) fn claimed_by(&self, session: SessionId) -> Vec<JobId> {
        let theirs = self
            .jobs
            .iter()
            .filter(|(_, job)| job.claimed_by == Some(session));
        theirs.map(|(id, _)| *id).collect()
    }

    pub(super) fn rescue(&mut self, now: DateTime<Utc>) -> Vec<Crash> {
        let dead: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.expires_at <= now)
            .map(|(id, _)| *id)
            .collect();
        let mut crashes = Vec::new();
        for session in dead {
            let worker = self.sessions.remove(&session).map(|it| it.worker);
            let worker = worker.unwrap_or_default();
            for id in self.claimed_by(session) {
                crashes.extend(self.rescue_job(id, session, &worker, now));
            }
        }
        crashes
    }

    fn rescue_job(
        &mut self,
        id: JobId,
        session: SessionId,
        worker: &str,
        now: DateTime<Utc>,
    ) -> Option<Crash> {
        let position = self.next_position();
        let job = self.jobs.get_mut(&id)?;
        let known = self.kinds.get(&job.kind);
        // Whoever claims one that is to be cancelled ends it.
        let is_out_of_attempts = job.attempt >= known.map_or(25, |it| it.max_attempts);
        let used_up = is_out_of_attempts && job.cancel_reason.is_none();
        let discard = used_up && known.is_some_and(|it| it.on_failure == "discard");
        let retain = known.map_or(0, |it| it.retain_seconds);
        let message = format!("worker \"{worker}\" (session {session}) died or lost its lease");
        let failure = Failure::new(job.attempt, FailureReason::Crash, message);
        let kind = job.kind.clone();
        let state = if discard {
            let retain = Duration::from_secs(retain.unsigned_abs());
            self.end(id, Ending::Discarded, retain, Some(failure), None, now);
            JobState::Discarded
        } else {
            job.add_failure(Some(failure), now);
            job.claimed_by = None;
            job.run_at = now;
            job.take_place(position);
            job.state = if used_up { Live::Held } else { Live::Available };
            if used_up {
                self.ends.tell(id);
            }
            job.record(id).state
        };
        Some(Crash {
            id,
            kind,
            session,
            state,
        })
    }
}
