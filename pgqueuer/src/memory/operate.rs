//! Listing, cancelling, requeueing, discarding. Mirrors `postgres/sql/cancel.sql` and its like.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use super::state::{Live, LiveJob, Memory};
use crate::{
    error::Result,
    job::JobId,
    payload::{Codec, Payload},
    store::{
        Cancelled, ClaimKey, Edit, Ending, Failure, FailureReason, JobFilter, JobRecord, Meant,
        Requeue, Requeued, SessionId, Step,
    },
};

impl Memory {
    fn meant(&self, filter: &JobFilter, above: JobId) -> impl Iterator<Item = (JobId, &LiveJob)> {
        let jobs = self.jobs.range(above..).map(|(id, job)| (*id, job));
        jobs.filter(move |(id, job)| *id > above && self.is_meant(filter, *id, job))
    }

    fn is_meant(&self, filter: &JobFilter, id: JobId, job: &LiveJob) -> bool {
        let queue = || self.kinds.get(&job.kind).map(|it| &it.queue);
        let state = job.record(id).state;
        filter.ids.as_ref().is_none_or(|it| it.contains(&id))
            && filter
                .kinds
                .as_ref()
                .is_none_or(|it| it.contains(&job.kind))
            && filter.queue.as_ref().is_none_or(|it| queue() == Some(it))
            && filter.states.as_ref().is_none_or(|it| it.contains(&state))
            && (filter.limit_key.is_none() || filter.limit_key == job.limit_key)
            && (filter.unique_key.is_none() || filter.unique_key == job.unique_key)
            && filter.before.is_none_or(|it| job.enqueued_at < it)
            && filter.after.is_none_or(|it| job.enqueued_at >= it)
    }

    /// The first of those that are meant and may be taken.
    fn choose(
        &self,
        filter: &JobFilter,
        above: JobId,
        limit: u32,
        may_be: impl Fn(&LiveJob) -> bool,
    ) -> Vec<JobId> {
        let chosen = self.meant(filter, above).filter(|(_, job)| may_be(job));
        chosen.map(|(id, _)| id).take(limit as usize).collect()
    }

    pub(super) fn list_jobs(&self, filter: &JobFilter, above: JobId, limit: u32) -> Vec<JobRecord> {
        let meant = self.meant(filter, above).take(limit as usize);
        meant.map(|(id, job)| job.record(id)).collect()
    }

    pub(super) fn count_meant(&self, filter: &JobFilter, limit: u32) -> Vec<Meant> {
        let mut counts = BTreeMap::new();
        for (id, job) in self
            .meant(filter, JobId::from(i64::MIN))
            .take(limit as usize)
        {
            let JobRecord { kind, state, .. } = job.record(id);
            // By name, as texts are sorted.
            let (_, jobs) = counts.entry((kind, state.as_str())).or_insert((state, 0));
            *jobs += 1;
        }
        let meant = |((kind, _), (state, jobs))| Meant { kind, state, jobs };
        counts.into_iter().map(meant).collect()
    }

    pub(super) fn cancel(
        &mut self,
        filter: &JobFilter,
        reason: &str,
        above: JobId,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Step<Cancelled> {
        let chosen = self.choose(filter, above, limit, |job| job.cancel_reason.is_none());
        let mut done = Cancelled::default();
        for id in &chosen {
            let retain = self.retain_of(*id);
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            if job.claimed_by.is_some() {
                job.cancel_reason = Some(reason.to_owned());
                done.running += 1;
                continue;
            }
            let failure = Failure::new(job.attempt, FailureReason::Cancelled, reason);
            self.end(*id, Ending::Cancelled, retain, Some(failure), None, now);
            done.waiting += 1;
        }
        Step {
            done,
            last: chosen.last().copied(),
        }
    }

    pub(super) fn cancelled(&self, session: SessionId) -> Vec<(ClaimKey, String)> {
        let theirs = self
            .jobs
            .iter()
            .filter(|(_, job)| job.claimed_by == Some(session));
        let cancelled = theirs.filter_map(|(id, job)| {
            let key = ClaimKey {
                id: *id,
                claim_number: job.claim_number,
            };
            Some((key, job.cancel_reason.clone()?))
        });
        cancelled.collect()
    }

    pub(super) fn requeue(
        &mut self,
        filter: &JobFilter,
        how: &Requeue,
        above: JobId,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Step<Requeued> {
        let chosen = self.choose(filter, above, limit, |job| {
            job.claimed_by.is_none() && job.state != Live::Available
        });
        let mut done = Requeued::default();
        for id in &chosen {
            let position = self.next_position();
            if self.has_lost_its_key(*id) {
                done.refused += 1;
                continue;
            }
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            let delay = how.delay.unwrap_or_default();
            job.run_at = how.run_at.unwrap_or(now + delay);
            job.state = Live::of(job.run_at, now);
            job.position = position;
            job.priority = how.priority.unwrap_or(job.priority);
            if !how.keeps_attempts {
                job.attempt = 0;
            }
            if let Some(payload) = &how.payload {
                job.payload = payload.clone();
            }
            done.requeued += 1;
        }
        Step {
            done,
            last: chosen.last().copied(),
        }
    }

    /// Whether another job has the unique key of one that is held.
    fn has_lost_its_key(&self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id).filter(|it| it.state == Live::Held) else {
            return false;
        };
        job.unique_key.is_some()
            && self.jobs.values().any(|other| {
                other.kind == job.kind
                    && other.unique_key == job.unique_key
                    && other.state != Live::Held
            })
    }

    pub(super) fn discard(
        &mut self,
        filter: &JobFilter,
        above: JobId,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Step<u64> {
        let chosen = self.choose(filter, above, limit, |job| job.state == Live::Held);
        for id in &chosen {
            let retain = self.retain_of(*id);
            self.end(*id, Ending::Discarded, retain, None, None, now);
        }
        Step {
            done: chosen.len() as u64,
            last: chosen.last().copied(),
        }
    }

    pub(super) fn edit(
        &mut self,
        filter: &JobFilter,
        edit: &Edit,
        above: JobId,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Step<u64>> {
        let chosen = self.choose(filter, above, limit, |job| match job.state {
            Live::Scheduled => true,
            Live::Held => !edit.moves(),
            Live::Available => false,
        });
        let mut keys = Vec::new();
        for id in &chosen {
            keys.push(self.limit_key_of(*id, edit.payload.as_ref())?);
        }
        for (id, key) in chosen.iter().zip(keys) {
            let Some(job) = self.jobs.get_mut(id) else {
                continue;
            };
            job.run_at = edit
                .run_at
                .or(edit.delay.map(|it| now + it))
                .unwrap_or(job.run_at);
            job.priority = edit.priority.unwrap_or(job.priority);
            if let Some(payload) = &edit.payload {
                job.payload = payload.clone();
            }
            job.limit_key = key.or(job.limit_key.take());
        }
        Ok(Step {
            done: chosen.len() as u64,
            last: chosen.last().copied(),
        })
    }

    /// By which key the limits of a job count with other arguments, if they can be read.
    fn limit_key_of(&self, id: JobId, payload: Option<&Payload>) -> Result<Option<String>> {
        let job = self.jobs.get(&id);
        let known = job.and_then(|it| self.kinds.get(&it.kind));
        match (payload, known) {
            (Some(payload), Some(known))
                if payload.codec == Codec::Json && !known.limit_by.is_empty() =>
            {
                payload.key(&known.kind, &known.limit_by).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// How long the record of a job is kept.
    fn retain_of(&self, id: JobId) -> Duration {
        let job = self.jobs.get(&id);
        let known = job.and_then(|it| self.kinds.get(&it.kind));
        let seconds = known.map_or(7 * 24 * 60 * 60, |it| it.retain_seconds.unsigned_abs());
        Duration::from_secs(seconds)
    }
}
