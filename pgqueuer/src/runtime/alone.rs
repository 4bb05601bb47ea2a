//! One attempt by itself, without a store or a worker: for the kit for testing.

use std::{sync::Arc, time::Instant};

use super::{
    attempt::{CANCEL_GRACE, sleep_for},
    panics,
};
use crate::{
    context::{Context, Inner},
    executor::{Call, Handling},
    outcome::{Cause, Outcome},
    payload::Payload,
    registry::JobDescriptor,
};

/// Decodes, runs (within the executor of the kind, if it has one) and says how it ended, as an attempt of a
/// worker does: a panic is caught, and a handler
/// that takes longer than its timeout is cancelled.
pub(crate) async fn run_alone(job: &JobDescriptor, payload: &Payload, mut about: Inner) -> Outcome {
    panics::install_hook();
    let timeout = job.options.timeout;
    about.deadline = timeout.and_then(|it| Instant::now().checked_add(it));
    let cancellation = about.cancellation.clone();
    let context = Context::new(about);
    let handler = panics::catch(async {
        if let Some(executor) = job.own_executor() {
            let handling = Handling::alone(*job, payload.clone(), context, executor);
            return Call::outermost(Arc::new(handling)).run().await;
        }
        match job.start(payload, context) {
            Ok(handler) => handler.await,
            Err(outcome) => outcome,
        }
    });
    let panicked = |it: panics::Caught| Outcome::Failed(it.into());
    let mut handler = Box::pin(async move { handler.await.unwrap_or_else(panicked) });
    tokio::select! {
        biased;
        outcome = &mut handler => return outcome,
        () = sleep_for(timeout) => cancellation.cancel(),
    }
    match tokio::time::timeout(CANCEL_GRACE, handler).await {
        // What fails then, fails because it was cancelled, for all we know.
        Ok(Outcome::Failed(_) | Outcome::Retry(..)) | Err(_) => {
            Outcome::Failed(Cause::timeout(timeout.unwrap_or_default()))
        }
        Ok(finished) => finished,
    }
}
