//! What is done to the queue.

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
}

impl Target {
    fn filter(&self) -> JobFilter {
        match self {
            Self::Job(id) => JobFilter::ids([*id]),
            Self::All(group) => group.filter(),
        }
    }

    /// What to say if there was nothing to do.
    fn nothing(&self, state: &str) -> Option<String> {
        match self {
            Self::Job(id) => Some(format!("job {id} is not {state}: nothing was done")),
            Self::All(_) => None,
        }
    }
}

impl Operation {
    /// Does it, and says what was done.
    pub(super) async fn run(&self, pgq: &PgQueuer) -> Result<String> {
        match self {
            Self::Requeue(target) => {
                let done = pgq.requeue(&target.filter(), &Requeue::now()).await?;
                let is_nothing = done.requeued + done.refused == 0;
                let nothing = target.nothing("held or scheduled");
                Ok(nothing
                    .filter(|_| is_nothing)
                    .unwrap_or_else(|| Done::Requeued(done).to_string()))
            }
            Self::Cancel(target) => {
                let done = pgq.cancel(&target.filter(), REASON).await?;
                let is_nothing = done.waiting + done.running == 0;
                let nothing = target.nothing("unfinished");
                Ok(nothing
                    .filter(|_| is_nothing)
                    .unwrap_or_else(|| Done::Cancelled(done).to_string()))
            }
            Self::Discard(target) => {
                let discarded = pgq.discard(&target.filter()).await?;
                let nothing = target.nothing("held");
                Ok(nothing
                    .filter(|_| discarded == 0)
                    .unwrap_or_else(|| Done::Discarded { discarded }.to_string()))
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
