//! The tables of a queue in a database: how they are kept, and how they are vacuumed.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What of a queue outlasts a crash of the server: which of its tables are logged.
///
/// An unlogged table is written faster, and empty after a crash of the server or of its machine (not after an
/// orderly restart). Standbys and backups by the write-ahead log have none of its rows, and so it is empty
/// after a failover, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Jobs and history are lost. For jobs that can be made again.
    Volatile,
    /// The history is lost, with results, and the progress of jobs that run. No job is.
    Balanced,
    /// Nothing is lost. The default.
    Durable,
}

impl Durability {
    /// All of them, from the least on.
    pub const ALL: [Self; 3] = [Self::Volatile, Self::Balanced, Self::Durable];

    /// Whether a table is not logged. Sessions always are: their ids must not come again.
    #[must_use]
    pub fn loses(self, table: &str) -> bool {
        let is_history = table.starts_with("history_") || table == "progress";
        // What is counted is lost together with what was counted.
        let is_of_jobs = ["jobs", "counts", "unique_keys"].contains(&table);
        match self {
            Self::Volatile => is_history || is_of_jobs,
            Self::Balanced => is_history,
            Self::Durable => false,
        }
    }

    /// That of a queue with these tables. `None` if it was changed by hand, or a change was interrupted.
    #[must_use]
    pub fn of(tables: &[TableRecord]) -> Option<Self> {
        let is_so = |durability: &Self| {
            tables
                .iter()
                .all(|it| durability.loses(&it.name) != it.is_logged)
        };
        Self::ALL.into_iter().find(is_so)
    }

    /// Its name on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::Balanced => "balanced",
            Self::Durable => "durable",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the tables of a queue are vacuumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autovacuum {
    /// For a queue that is busy for long: early, without pauses, and without giving back the ends of files.
    Recommended,
    /// As the schema is installed.
    Default,
}

/// A table of the queue, or a partition of its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableRecord {
    /// Its name, without the schema.
    pub name: String,
    /// Whether it outlasts a crash of the server.
    pub is_logged: bool,
    /// What is set for it, as `name=value`.
    pub settings: Vec<String>,
    /// Its size on disk, with its indexes.
    pub bytes: i64,
    /// Rows that a vacuum would remove, by the statistics of the server.
    pub dead_rows: i64,
    /// When it was vacuumed last, by whomever.
    pub vacuumed_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, is_logged: bool) -> TableRecord {
        TableRecord {
            name: name.to_owned(),
            is_logged,
            settings: Vec::new(),
            bytes: 0,
            dead_rows: 0,
            vacuumed_at: None,
        }
    }

    #[test]
    fn the_tables_tell_how_durable_a_queue_is() {
        let of = |jobs, history, sessions| {
            Durability::of(&[
                table("jobs", jobs),
                table("unique_keys", jobs),
                table("history_20300131", history),
                table("progress", history),
                table("sessions", sessions),
            ])
        };
        assert_eq!(of(true, true, true), Some(Durability::Durable));
        assert_eq!(of(true, false, true), Some(Durability::Balanced));
        assert_eq!(of(false, false, true), Some(Durability::Volatile));
        assert_eq!(of(false, true, true), None);
        assert_eq!(of(false, false, false), None);
    }
}
