//! Unique jobs: of those with the same key, one is enqueued.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::job::JobId;

/// For how long a job with a key keeps out others of its kind with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueFor {
    /// As long as it waits (retries, too) and runs. Not while it is held, or a job that waits for a
    /// person would keep out all that come.
    Unfinished,
    /// For this long since it was enqueued, by the clock of the database, whatever becomes of it.
    /// From 1 ms to 100 years.
    Window(Duration),
}

impl UniqueFor {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    pub(crate) fn validate(self) -> Result<(), String> {
        match self {
            Self::Window(window)
                if !(Duration::from_millis(1)..=Self::LONGEST).contains(&window) =>
            {
                Err(format!(
                    "a job is unique for {window:?}, from 1 ms to 100 years"
                ))
            }
            Self::Window(_) | Self::Unfinished => Ok(()),
        }
    }
}

/// What is done with a job whose key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It is not enqueued. The answer is the one that is there.
    #[default]
    Skip,
    /// Nothing is enqueued, of the whole call: [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
    Error,
    /// It is not enqueued, but the one that is there takes over some of it, if it waits. What runs
    /// or has ended is left as it is.
    Replace(Replace),
}

/// What a job that waits takes over from one that is not enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replace {
    /// Its arguments and headers.
    pub payload: bool,
    /// When it is to run: pushed back with each call, this is a debounce.
    pub run_at: bool,
    /// Its priority.
    pub priority: bool,
}

impl Replace {
    /// Its arguments and headers.
    pub const PAYLOAD: Self = Self {
        payload: true,
        run_at: false,
        priority: false,
    };
    /// When it is to run.
    pub const RUN_AT: Self = Self {
        payload: false,
        run_at: true,
        priority: false,
    };
    /// Its priority.
    pub const PRIORITY: Self = Self {
        payload: false,
        run_at: false,
        priority: true,
    };
    /// All of it.
    pub const ALL: Self = Self {
        payload: true,
        run_at: true,
        priority: true,
    };
}

impl OnConflict {
    /// As `pgqueuer.enqueue_unique` takes it.
    pub(crate) fn to_text(self) -> String {
        match self {
            Self::Skip => "skip".to_owned(),
            Self::Error => "error".to_owned(),
            Self::Replace(replace) => {
                let parts = [
                    (replace.payload, "payload"),
                    (replace.run_at, "run_at"),
                    (replace.priority, "priority"),
                ];
                let parts = parts.iter().filter(|(is_replaced, _)| *is_replaced);
                let parts: Vec<&str> = parts.map(|(_, name)| *name).collect();
                match parts.is_empty() {
                    true => "skip".to_owned(),
                    false => parts.join(" "),
                }
            }
        }
    }
}

/// How a job is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// Its key, among the jobs of its kind.
    pub key: String,
    /// For how long it keeps others out.
    pub lasts: UniqueFor,
    /// What is done if another one has the key.
    pub on_conflict: OnConflict,
}

/// What became of a job that was to be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Enqueued {
    /// The job: the new one, or the one that had its key.
    pub id: JobId,
    /// Whether it is new.
    pub is_new: bool,
}

impl fmt::Display for Enqueued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
