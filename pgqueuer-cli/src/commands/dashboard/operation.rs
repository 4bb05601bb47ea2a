//! What is done to the queue.

use chrono::{DateTime, Utc};
use pgqueuer::{JobFilter, JobId, PgQueuer, Requeue, Result, Scope};

use super::data::Group;
use crate::commands::{jobs::Done, pause::Paused};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Requeue(Target),
    Cancel(Target),
    Discard(Target),
    SetPaused { scope: Scope, paused: bool },
    PauseSchedule { name: String, paused: bool },
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Job(JobId),
    All(Group),
    /// Those of a group that were enqueued before.
    Before(Group, DateTime<Utc>),
}

impl Target {
    fn filter(&self) -> JobFilter {
        match self {
            Self::Job(id) => JobFilter::ids([*id]),
            Self::All(group) => group.filter(),
            Self::Before(group, at) => group.filter().enqueued_before(*at),
        }
    }

    /// What to say if there was nothing to do.
    fn nothing(&self, state: &str) -> Option<String> {
        match self {
            Self::Job(id) => Some(format!("job {id} is not {state}: nothing was done")),
            Self::All(_) | Self::Before(..) => None,
        }
    }

    /// What was done, and to which job.
    fn done(&self, done: &Done) -> String {
        match self {
            Self::Job(id) => format!("job {id}: {done}"),
            Self::All(_) | Self::Before(..) => done.to_string(),
        }
    }
}

impl Operation {
    /// What somebody has agreed to who knew the queue as of then. What is held is meant whenever it came
    /// to be.
    pub(super) fn until(self, at: DateTime<Utc>) -> Self {
        match self {
            Self::Cancel(Target::All(group)) => Self::Cancel(Target::Before(group, at)),
            other => other,
        }
    }

    /// Does it, and says what was done.
    pub(super) async fn run(&self, pgq: &PgQueuer) -> Result<String> {
        match self {
            Self::Requeue(target) => {
                let done = pgq.requeue(&target.filter(), &Requeue::now()).await?;
                let is_nothing = done.requeued + done.refused == 0;
                let nothing = target.nothing("held or scheduled");
                Ok(nothing
                    .filter(|_| is_nothing)
                    .unwrap_or_else(|| target.done(&Done::Requeued(done))))
            }
            Self::Cancel(target) => {
                let done = pgq.cancel(&target.filter(), REASON).await?;
                let is_nothing = done.waiting + done.running == 0;
                let nothing = target.nothing("unfinished, or was told already");
                Ok(nothing
                    .filter(|_| is_nothing)
                    .unwrap_or_else(|| target.done(&Done::Cancelled(done))))
            }
            Self::Discard(target) => {
                let discarded = pgq.discard(&target.filter()).await?;
                let nothing = target.nothing("held");
                Ok(nothing
                    .filter(|_| discarded == 0)
                    .unwrap_or_else(|| target.done(&Done::Discarded { discarded })))
            }
            Self::SetPaused { scope, paused } => {
                let changed = match paused {
                    true => pgq.pause(scope).await?,
                    false => pgq.resume(scope).await?,
                };
                let (scope, paused) = (scope.clone(), *paused);
                Ok(Paused {
                    scope,
                    paused,
                    changed,
                }
                .to_string())
            }
            Self::PauseSchedule { name, paused: true } => {
                pgq.pause_schedule(name).await?;
                Ok(format!("paused schedule `{name}`"))
            }
            Self::PauseSchedule { name, .. } => {
                pgq.resume_schedule(name).await?;
                Ok(format!("resumed schedule `{name}`"))
            }
        }
    }
}

/// As `pgq jobs cancel` has it.
const REASON: &str = "by hand";
