//! What is going on, counted when it is asked for.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use super::state::{Live, Memory};
use crate::{
    limits::Scope,
    store::{Backlog, CHARTED, KindTotal, Overview, Parts, RECENT, WorkerRecord},
};

impl Memory {
    pub(super) fn overview(&self, now: DateTime<Utc>) -> Overview {
        let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        let recent = self
            .minutes
            .iter()
            .filter(|((begun, _), _)| *begun >= minute - RECENT)
            .map(|((_, kind), measures)| (kind.clone(), measures.clone()));
        Parts {
            at: now,
            backlog: self.backlog(),
            workers: self.list_workers(),
            recent: recent.collect(),
            minutes: self.list_minutes(CHARTED, now),
        }
        .assemble()
    }

    fn backlog(&self) -> Vec<Backlog> {
        let mut kinds: BTreeMap<&str, Backlog> = BTreeMap::new();
        for kind in self.kinds.keys() {
            kinds.entry(kind).or_default();
        }
        // Of each line the first, by its place.
        let mut heads: BTreeMap<(&str, i16), (i64, DateTime<Utc>)> = BTreeMap::new();
        for job in self.jobs.values() {
            let of_kind = kinds.entry(&job.kind).or_default();
            match job.state {
                Live::Available => of_kind.available += 1,
                Live::Scheduled => of_kind.scheduled += 1,
                Live::Held => of_kind.held += 1,
            }
            if job.is_waiting() {
                let due = (job.position, job.run_at.max(job.enqueued_at));
                let head = heads.entry((&job.kind, job.priority)).or_insert(due);
                *head = (*head).min(due);
            }
        }
        for ((kind, _), (_, due_at)) in heads {
            let of_kind = kinds.entry(kind).or_default();
            of_kind.oldest = Some(of_kind.oldest.map_or(due_at, |it| it.min(due_at)));
        }
        let of_kind = |(kind, backlog): (&str, Backlog)| Backlog {
            kind: kind.to_owned(),
            queue: self.kinds.get(kind).map(|it| it.queue.clone()),
            is_alias: self.kinds.get(kind).is_some_and(|it| it.job != it.kind),
            paused: self.paused_by(kind),
            ..backlog
        };
        kinds.into_iter().map(of_kind).collect()
    }

    /// The widest pause that keeps a kind from running.
    fn paused_by(&self, kind: &str) -> Option<Scope> {
        let known = self.kinds.get(kind);
        let job = known.map_or(kind, |it| &it.job);
        let queue = known.map(|it| Scope::Queue(it.queue.clone()));
        [
            Some(Scope::Everything),
            queue,
            Some(Scope::Kind(job.to_owned())),
        ]
        .into_iter()
        .flatten()
        .find(|scope| self.is_paused(scope))
    }

    fn list_workers(&self) -> Vec<WorkerRecord> {
        let record = |(id, session): (&_, &super::state::Session)| WorkerRecord {
            session: *id,
            name: session.worker.clone(),
            started_at: session.started_at,
            expires_at: session.expires_at,
            is_idle: session.is_idle,
            concurrency: session.report.as_ref().map(|it| it.concurrency),
            running: session.report.clone().unwrap_or_default().running,
        };
        self.sessions.iter().map(record).collect()
    }

    pub(super) fn list_totals(&self) -> Vec<KindTotal> {
        let total =
            |(kind, measures): (&String, &_)| KindTotal::new(kind.clone(), Clone::clone(measures));
        self.totals.iter().map(total).collect()
    }
}
