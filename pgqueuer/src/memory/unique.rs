//! Unique jobs. Mirrors `pgqueuer.enqueue_unique` in the schema.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::state::{Live, Memory, due};
use crate::{
    error::{Error, ErrorKind, Result},
    job::JobId,
    store::JobToEnqueue,
    unique::{Enqueued, OnConflict, Replace, Unique, UniqueFor},
};

/// Keys that are taken for a while, by kind and key: by which job, and until when.
pub(super) type Windows = BTreeMap<(String, String), (JobId, DateTime<Utc>)>;

impl Memory {
    pub(super) fn enqueue_unique(
        &mut self,
        jobs: &[(JobToEnqueue, Option<Unique>)],
        now: DateTime<Utc>,
    ) -> Result<Vec<Enqueued>> {
        self.refuse_conflicts(jobs, now)?;
        let mut added = Vec::new();
        for (job, unique) in jobs {
            let other = unique.as_ref().and_then(|it| self.find(&job.kind, it, now));
            if let (Some(other), Some(unique)) = (other, unique) {
                if let OnConflict::Replace(replace) = unique.on_conflict {
                    self.replace(other, job, replace, now);
                }
                added.push(Enqueued {
                    id: other,
                    is_new: false,
                });
                continue;
            }
            let id = self.enqueue_one(job, now);
            match unique {
                None => {}
                Some(Unique {
                    key,
                    lasts: UniqueFor::Window(window),
                    ..
                }) => {
                    let taken = (job.kind.clone().into_owned(), key.clone());
                    self.windows.insert(taken, (id, now + *window));
                }
                Some(unique) => {
                    if let Some(live) = self.jobs.get_mut(&id) {
                        live.unique_key = Some(unique.key.clone());
                    }
                }
            }
            added.push(Enqueued { id, is_new: true });
        }
        Ok(added)
    }

    /// All or none: so this comes first.
    fn refuse_conflicts(
        &self,
        jobs: &[(JobToEnqueue, Option<Unique>)],
        now: DateTime<Utc>,
    ) -> Result<()> {
        for (place, (job, unique)) in jobs.iter().enumerate() {
            let Some(unique) = unique
                .as_ref()
                .filter(|it| it.on_conflict == OnConflict::Error)
            else {
                continue;
            };
            let is_same = |(other, with): &(JobToEnqueue, Option<Unique>)| {
                other.kind == job.kind && with.as_ref().is_some_and(|it| it.key == unique.key)
            };
            let other = self.find(&job.kind, unique, now).map(|it| it.to_string());
            let earlier = || jobs[..place].iter().any(is_same).then(String::new);
            if let Some(other) = other.or_else(earlier) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "job {other} of kind \"{}\" has the unique key {} already",
                        job.kind, unique.key
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The job that has the key.
    fn find(&self, kind: &str, unique: &Unique, now: DateTime<Utc>) -> Option<JobId> {
        if let UniqueFor::Window(_) = unique.lasts {
            let taken = self.windows.get(&(kind.to_owned(), unique.key.clone()));
            return taken.filter(|(_, until)| *until > now).map(|(id, _)| *id);
        }
        let mut live = self.jobs.iter();
        let found = live.find(|(_, job)| {
            job.kind == kind
                && job.unique_key.as_ref() == Some(&unique.key)
                && job.state != Live::Held
        });
        found.map(|(id, _)| *id)
    }

    fn replace(&mut self, id: JobId, job: &JobToEnqueue, replace: Replace, now: DateTime<Utc>) {
        let position = self.next_position();
        let Some(live) = self.jobs.get_mut(&id) else {
            return;
        };
        if live.claimed_by.is_some() || live.state == Live::Held {
            return;
        }
        let before = (live.state, live.priority);
        if replace.run_at {
            live.run_at = due(job.run_at, now);
            live.state = Live::of(live.run_at, now);
        }
        if replace.priority {
            live.priority = job.priority;
        }
        if (live.state, live.priority) != before {
            live.position = position;
        }
        if replace.payload {
            live.payload = job.payload.clone();
            live.headers = job.headers.clone();
            live.limit_key = job.limit_key.clone();
        }
    }

    pub(super) fn forget_keys(&mut self, limit: u32, now: DateTime<Utc>) -> u64 {
        let over = self.windows.iter().filter(|(_, (_, until))| *until <= now);
        let over: Vec<_> = over.map(|(taken, _)| taken.clone()).collect();
        let over = over.iter().take(limit as usize);
        over.filter_map(|taken| self.windows.remove(taken)).count() as u64
    }
}
