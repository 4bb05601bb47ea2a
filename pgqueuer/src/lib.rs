#![doc = include_str!("../README.md")]

// In reading order: the words first, then the seam, then the two stores behind it, then what
// runs on it.
pub mod payload;
pub mod store;

mod backoff;
mod config;
mod context;
mod cron;
mod enqueue;
mod error;
mod executor;
mod handle;
mod hook;
mod job;
mod job_handle;
mod key;
mod limits;
mod options;
mod outcome;
mod registry;
mod resources;
mod retry;
mod schedule;
mod unique;
mod waiting;

mod memory;
mod postgres;

mod runtime;
mod telemetry;
mod tx;
mod worker;

#[cfg(feature = "blocking")]
pub mod blocking;

#[cfg(feature = "metrics")]
pub mod metrics;

#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

/// The attribute for an `impl` of [`Executor`].
pub use async_trait::async_trait;
pub use backoff::Backoff;
pub use config::WorkerConfig;
pub use context::{Context, Headers};
pub use enqueue::{
    IntoDelay, MAX_HEADER_BYTES, NewJob, OnConnection, StreamTarget, Target, enqueue_many,
    enqueue_many_unique,
};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use executor::{Call, Executor};
pub use handle::{PgQueuer, ScheduleChange};
pub use hook::{Ended, Event, Hook};
pub use job::{Argument, HandlerFuture, Job, JobId, Source};
pub use job_handle::{JobFailure, JobHandle, WaitError};
pub use key::{Key, KeyValue, MAX_KEY_BYTES};
pub use limits::{LimitRecord, Limits, Rate, Scope, SetLimit};
pub use memory::MemoryStore;
pub use options::{JobOptions, MAX_NAME_LENGTH, OnFailure};
pub use outcome::{
    Cancel, Cause, Hold, IntoOutcome, JobOutput, MAX_RESULT_BYTES, Outcome, Retry, Returned,
    Snooze, Typed, TypedError,
};
pub use payload::{Codec, Payload};
#[cfg(feature = "testing")]
pub use pgqueuer_macros::test;
pub use pgqueuer_macros::{job, schedule};
pub use postgres::{Hosts, PostgresStore, SchemaName, autovacuum_sql, ddl};
pub use registry::JobDescriptor;
pub use resources::{Inject, Requirement, State};
pub use retry::RetryStrategy;
pub use runtime::Report;
pub use schedule::{Changes, Missed, Overlap, Schedule, Tick};
pub use store::{
    Activity, Autovacuum, Cancelled, Counts, Durability, Edit, Ending, Failure, FailureReason,
    HeldJob, Histogram, HistoryFilter, HistoryPage, HistoryPlace, JobFilter, JobRecord, JobState,
    KindOverview, KindRecord, KindTotal, Meant, Measures, MinuteRecord, Overview, Progress,
    Requeue, Requeued, ScheduleRecord, Stale, StaleRecord, TableRecord, Tally, WorkerRecord,
};
pub use tx::Tx;
pub use unique::{Enqueued, OnConflict, Replace, Unique, UniqueFor};
pub use worker::{Worker, WorkerBuilder};

/// Every job that the linker has put into this program.
///
/// A crate whose jobs are missing here is one that the binary lists in its `Cargo.toml` but
/// never names: `use my_jobs as _;` in `main.rs` is the cure.
pub fn linked_jobs() -> impl Iterator<Item = JobDescriptor> {
    registry::Registry::linked()
}

/// What most programs need: `use pgqueuer::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Cancel, Context, Hold, Inject, Job, JobId, PgQueuer, Retry, Snooze, State, Tick, Tx, job,
        schedule,
    };
}
