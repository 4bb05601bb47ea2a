//! Names of spans, of their fields and of those of log lines. Dashboards and alerts depend on them:
//! a change here is a breaking change and goes into the changelog.
//!
//! # Spans
//!
//! By OpenTelemetry's conventions for messaging; see `docs/tracing.md` and decision 21.
//!
//! | span | target | from, to | fields |
//! | --- | --- | --- | --- |
//! | `job.enqueue` | `pgqueuer::enqueue` | a call that enqueues | `messaging.*`, `job.kind`, `error.type` |
//! | `job.attempt` | `pgqueuer::attempt` | an attempt, decoding included | `messaging.*`, `job.kind`, `job.id`, `job.attempt`, `job.outcome`, `error.type` |
//! | `worker` | `pgqueuer::worker` | the life of a worker | `worker.name` |
//!
//! # Log lines
//!
//! What concerns one job has `job.kind`, `job.id` and, if it is about an attempt, `job.attempt`,
//! `job.outcome` and `ran_ms`; what went wrong is in `error`, and in `job.failure` what sort of
//! failure it was. They are on the line itself, so that it can be read without its span, which a filter
//! may have left out. No line has payloads, headers or results.

mod lines;
mod propagation;

pub(crate) use lines::{AttemptEnd, attempt_ended, rescued};
pub(crate) use propagation::inject;

use std::fmt;

use tracing::{Span, field, info_span};

use crate::{error::Result, job::JobId, store::ClaimedJob};

/// The span of an attempt.
const ATTEMPT: &str = "job.attempt";

/// The span of a call that enqueues jobs of a kind; how many, if that is known.
pub(crate) fn enqueue_span(kind: &str, count: Option<usize>) -> Span {
    info_span!(
        target: "pgqueuer::enqueue",
        "job.enqueue",
        otel.name = format_args!("send {kind}"),
        otel.kind = "producer",
        otel.status_code = field::Empty,
        messaging.system = "pgqueuer",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = kind,
        messaging.message.id = field::Empty,
        // Of a single message there is none, by the convention.
        messaging.batch.message_count = count.filter(|it| *it != 1).map(number),
        error.type = field::Empty,
        sentry.op = propagation::for_sentry("queue.publish"),
        sentry.name = propagation::for_sentry(format_args!("send {kind}")),
        job.kind = kind,
    )
}

/// Records on the span of a call that enqueues what came of it: the id of a single job, and how many there
/// are if that was not known before.
pub(crate) fn record_enqueued<T>(
    span: &Span,
    result: &Result<T>,
    what: impl FnOnce(&T) -> (Option<JobId>, Option<usize>),
) {
    match result {
        Ok(enqueued) => {
            let (single, count) = what(enqueued);
            span.record("messaging.message.id", single.map(field::display));
            let count = count.filter(|it| *it != 1).map(number);
            span.record("messaging.batch.message_count", count);
        }
        // Sentry asks for the current span.
        Err(error) => span.in_scope(|| record_failure(span, error.kind().name())),
    }
}

/// The span of one attempt. Handlers run in it. It goes on with the trace of who enqueued the job.
pub(crate) fn attempt_span(job: &ClaimedJob) -> Span {
    let kind = job.kind.as_str();
    let span = info_span!(
        target: "pgqueuer::attempt",
        ATTEMPT,
        otel.name = format_args!("process {kind}"),
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        messaging.system = "pgqueuer",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = kind,
        messaging.message.id = %job.key.id,
        error.type = field::Empty,
        sentry.op = propagation::for_sentry("queue.process"),
        sentry.name = propagation::for_sentry(format_args!("process {kind}")),
        sentry.trace = propagation::sentry_trace(&job.headers),
        job.kind = kind,
        job.id = %job.key.id,
        job.attempt = i64::from(job.attempt),
        job.outcome = field::Empty,
    );
    propagation::continue_in(&span, &job.headers);
    span
}

/// The span of a worker's life. Attempts are not in it: they belong to traces of their own.
pub(crate) fn worker_span(name: impl fmt::Display) -> Span {
    info_span!(target: "pgqueuer::worker", "worker", worker.name = %name)
}

fn record_failure(span: &Span, error_type: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error_type);
    propagation::note_end(span, true);
}

/// As OpenTelemetry has numbers: it takes others for text.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
