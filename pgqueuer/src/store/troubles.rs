//! What a person should look at: jobs that are held, and what does not go on.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{job::JobId, outcome::FailureReason};

/// A job that is held, and the failure that was its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldJob {
    /// Its id.
    pub id: JobId,
    /// What sort of job.
    pub kind: String,
    /// How many attempts were begun and not given back.
    pub attempt: u16,
    /// When it failed; `None` if it never did.
    pub failed_at: Option<DateTime<Utc>>,
    /// What sort of failure it was.
    pub reason: Option<FailureReason>,
    /// What was said: the first thousand characters.
    pub message: String,
}

/// What should have been begun or ended by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StaleRecord {
    /// What it is.
    pub what: Stale,
    /// Of the job, or of the session.
    pub id: i64,
    /// What sort of job; of a session, empty.
    pub kind: String,
    /// Since when it has been due, has run, or has been over.
    pub since: DateTime<Utc>,
    /// The worker that runs it, or whose session it was.
    pub worker: Option<String>,
    /// The session that has it is over.
    pub is_lost: bool,
    /// Some worker is alive.
    pub is_attended: bool,
}

/// What does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// A job that could be begun.
    Waiting,
    /// A scheduled job whose time has passed.
    Overdue,
    /// A job that runs, or that a dead worker has left behind.
    Running,
    /// A session whose lease has run out.
    Session,
}

impl Stale {
    const ALL: [Self; 4] = [Self::Waiting, Self::Overdue, Self::Running, Self::Session];

    /// Its name in SQL and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Overdue => "overdue",
            Self::Running => "running",
            Self::Session => "session",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}
