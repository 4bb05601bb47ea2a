//! Records: what a store keeps of jobs and kinds, as it is read and written.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{context::Headers, job::JobId, outcome::Failure, payload::Payload};

/// What a worker publishes about one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindRecord {
    /// The kind, or an alias of it.
    pub kind: String,
    /// The queue that it belongs to.
    pub queue: String,
    /// The priority that its jobs have by default.
    pub priority: i16,
    /// How many attempts its jobs have.
    pub max_attempts: u16,
    /// `hold` or `discard`.
    pub on_failure: String,
    /// How long finished jobs are remembered, in seconds.
    pub retain_seconds: i64,
    /// Names and types of the arguments, as JSON: `[{"name": …, "type": …}]`.
    pub arguments: serde_json::Value,
    /// Where it is declared, `file:line`.
    pub source: String,
    /// The kind itself, of an alias.
    pub job: String,
    /// The arguments by which its limits count.
    pub limit_by: Vec<String>,
    /// The arguments that make its jobs unique; `None` if they are not.
    pub unique_by: Option<Vec<String>>,
    /// For how many milliseconds since they were enqueued; `None` for as long as they are
    /// unfinished.
    pub unique_millis: Option<i64>,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// Not due yet.
    Scheduled,
    /// Waiting for a worker.
    Available,
    /// Claimed by a worker.
    Running,
    /// Parked for a person.
    Held,
    /// Ended well.
    Completed,
    /// Stopped on purpose.
    Cancelled,
    /// Given up, as its kind asks for.
    Discarded,
}

impl JobState {
    /// The name of the state in SQL and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Scheduled,
            Self::Available,
            Self::Running,
            Self::Held,
            Self::Completed,
            Self::Cancelled,
            Self::Discarded,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// What sort of job.
    pub kind: String,
    /// Where it is in its life.
    pub state: JobState,
    /// Its priority.
    pub priority: i16,
    /// How many attempts were begun and not given back.
    pub attempt: u16,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it may run; of a finished job, `None`.
    pub run_at: Option<DateTime<Utc>>,
    /// When the present or last attempt began.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its encoded arguments; of a finished job, `None`.
    pub payload: Option<Payload>,
    /// What the producer gave; of a finished job, empty.
    pub headers: Headers,
    /// The last ten failures, oldest first.
    pub failures: Vec<Failure>,
    /// What the handler returned, as JSON; `None` for nothing, and of an unfinished job.
    pub result: Option<String>,
    /// How far it is, if it runs and its handler says so.
    pub progress: Option<Progress>,
}

/// How far a job is, as its handler [said](crate::Context::progress).
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The share that is done, from 0 to 1.
    pub fraction: f32,
    /// What is being done.
    pub note: String,
    /// When that was written down.
    pub updated_at: DateTime<Utc>,
}

/// How a job ended that is waited for, or that it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEnd {
    /// Its id.
    pub id: JobId,
    /// What became of it; `None` if nothing is known of it.
    pub became: Option<Became>,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Became {
    /// Held, or how it ended.
    pub state: JobState,
    /// What sort of job.
    pub kind: String,
    /// How many attempts it had.
    pub attempt: u16,
    /// The last ten failures, oldest first.
    pub failures: Vec<Failure>,
    /// What the handler returned, as JSON; `None` for nothing.
    pub result: Option<String>,
}

/// How many jobs are in which live state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Not due yet.
    pub scheduled: u64,
    /// Waiting for a worker.
    pub available: u64,
    /// Claimed by a worker.
    pub running: u64,
    /// Parked for a person.
    pub held: u64,
}
