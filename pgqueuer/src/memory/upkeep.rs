//! The rest of what the store in memory does: upkeep, schedules, and looking in.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::state::{Live, Memory};
use crate::{
    job::JobId,
    store::{
        Counts, Ending, HistoryFilter, HistoryPage, HistoryPlace, JobRecord, KindRecord, Promotion,
    },
};

impl Memory {
    pub(super) fn promote(&mut self, limit: u32, now: DateTime<Utc>) -> Promotion {
        let mut due: Vec<(DateTime<Utc>, JobId)> = self.scheduled().collect();
        due.retain(|(run_at, _)| *run_at <= now);
        due.sort_unstable();
        due.truncate(limit as usize);
        for (_, id) in &due {
            let position = self.next_position();
            if let Some(job) = self.jobs.get_mut(id) {
                job.state = Live::Available;
                job.take_place(position);
            }
        }
        let next = self
            .scheduled()
            .map(|(run_at, _)| run_at)
            .filter(|it| *it > now)
            .min();
        Promotion {
            promoted: u32::try_from(due.len()).unwrap_or(u32::MAX),
            next_due_in: next.map(|it| (it - now).to_std().unwrap_or_default()),
        }
    }

    fn scheduled(&self) -> impl Iterator<Item = (DateTime<Utc>, JobId)> {
        let scheduled = self
            .jobs
            .iter()
            .filter(|(_, job)| job.state == Live::Scheduled);
        scheduled.map(|(id, job)| (job.run_at, *id))
    }

    pub(super) fn publish_kinds(&mut self, kinds: &[KindRecord]) {
        let named = kinds.iter().map(|it| (it.kind.clone(), it.clone()));
        self.kinds.extend(named);
    }

    pub(super) fn list_kinds(&self) -> Vec<KindRecord> {
        self.kinds.values().cloned().collect()
    }

    pub(super) fn prune(&mut self, limit: u32, now: DateTime<Utc>) -> u64 {
        let expired: Vec<JobId> = self
            .history
            .iter()
            .filter(|(_, job)| job.expires_at <= now)
            .map(|(id, _)| *id)
            .take(limit as usize)
            .collect();
        for id in &expired {
            self.history.remove(id);
        }
        expired.len() as u64
    }

    pub(super) fn get_job(&self, id: JobId, now: DateTime<Utc>) -> Option<JobRecord> {
        let live = self.jobs.get(&id).map(|job| job.record(id));
        live.or_else(|| {
            let finished = self.history.get(&id);
            let kept = finished.filter(|job| job.expires_at > now);
            kept.map(|job| job.record.clone())
        })
    }

    pub(super) fn list_history(
        &self,
        filter: &HistoryFilter,
        below: Option<HistoryPlace>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> HistoryPage {
        let ending = filter.ending.map(Ending::as_str);
        let kinds = filter.kinds.as_ref();
        let is_meant = |job: &JobRecord| {
            kinds.is_none_or(|it| it.contains(&job.kind))
                && ending.is_none_or(|it| it == job.state.as_str())
                && filter.since.is_none_or(|it| job.finished_at >= Some(it))
                && (below.is_none() || HistoryPlace::of(job) < below)
        };
        let kept = self.history.values().filter(|it| it.expires_at > now);
        let meant = kept.map(|it| &it.record).filter(|it| is_meant(it));
        let mut jobs: Vec<JobRecord> = meant.cloned().collect();
        jobs.sort_by_key(|it| std::cmp::Reverse(HistoryPlace::of(it)));
        jobs.truncate(limit as usize);
        let is_full = jobs.len() == limit as usize;
        let next = jobs.last().filter(|_| is_full).and_then(HistoryPlace::of);
        HistoryPage { jobs, next }
    }

    pub(super) fn count_jobs(&self, kinds: Option<&[&str]>) -> Counts {
        let wanted: Option<BTreeSet<&str>> = kinds.map(|it| it.iter().copied().collect());
        let mut counts = Counts::default();
        for job in self.jobs.values() {
            if wanted
                .as_ref()
                .is_some_and(|it| !it.contains(job.kind.as_str()))
            {
                continue;
            }
            match (job.claimed_by, job.state) {
                (Some(_), _) => counts.running += 1,
                (None, Live::Scheduled) => counts.scheduled += 1,
                (None, Live::Available) => counts.available += 1,
                (None, Live::Held) => counts.held += 1,
            }
        }
        counts
    }
}
