//! The names that generated code uses. Not public API: they change without notice.

pub use inventory;
pub use serde;

pub use crate::backoff::Backoff;
pub use crate::{
    context::Context,
    error::Result,
    executor::Executor,
    job::{Argument, HandlerFuture, Job, Source},
    key::Key,
    limits::{Limits, Rate},
    options::{JobOptions, OnFailure},
    outcome::IntoOutcome,
    payload::{Codec, FrameWriter, Payload},
    registry::JobDescriptor,
    resources::{Inject, Requirement},
    retry::RetryStrategy,
    schedule::{Changes, Missed, Overlap, Schedule},
    unique::UniqueFor,
};

#[cfg(feature = "testing")]
pub mod testing {
    //! What `#[pgqueuer::test]` and the macros of the kit for testing use.
    pub use crate::testing::{Listing, TestQueue, TestResult, find, in_memory, on_postgres};
}

use std::{future::Future, sync::Arc};

/// Boxes the call of a handler. A function of its own, so that a handler that is
/// not `Send` is told so in terms of the handler.
pub fn handler_future<F, R>(future: F) -> HandlerFuture
where
    F: Future<Output = R> + Send + 'static,
    R: IntoOutcome,
{
    Box::pin(async move { future.await.into_outcome() })
}

/// The key that the values of some arguments make.
///
/// # Errors
///
/// If it is too long.
pub fn key(kind: &str, parts: &[&dyn Key]) -> Result<String> {
    crate::key::join(kind, parts)
}

/// What `executor = …` makes.
pub fn executor(executor: impl Executor) -> Option<Arc<dyn Executor>> {
    Some(Arc::new(executor))
}

/// What `retry = …` makes, and a list of waits.
pub fn retry_strategy(strategy: impl RetryStrategy) -> Option<Arc<dyn RetryStrategy>> {
    Some(Arc::new(strategy))
}
