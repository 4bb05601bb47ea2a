//! The trace of who enqueues a job goes on in its attempts.
//!
//! It travels in the headers of the job as W3C Trace Context has it, in `traceparent` and
//! `tracestate`, whichever exporter is at either end. Only this module knows which there are. Without
//! any of their features nothing is looked for, and nothing sent.

#[cfg(feature = "opentelemetry")]
mod opentelemetry;
#[cfg(feature = "sentry")]
mod sentry;
#[cfg(any(feature = "opentelemetry", feature = "sentry"))]
mod traceparent;

use tracing::{Span, Value};

use crate::context::Headers;

/// Gives the current trace to jobs which have none, if it is one that is recorded.
///
/// A trace that is not would cost as much for nothing: jobs without headers take cheaper statements.
pub(crate) fn inject<'a>(jobs: impl Iterator<Item = &'a mut Headers>) {
    #[cfg(any(feature = "opentelemetry", feature = "sentry"))]
    if let Some(trace) = current() {
        jobs.for_each(|headers| trace.put_into(headers));
    }
    #[cfg(not(any(feature = "opentelemetry", feature = "sentry")))]
    drop(jobs);
}

#[cfg(any(feature = "opentelemetry", feature = "sentry"))]
fn current() -> Option<traceparent::Trace> {
    #[cfg(feature = "opentelemetry")]
    if let Some(trace) = opentelemetry::current() {
        return Some(trace);
    }
    #[cfg(feature = "sentry")]
    if let Some(trace) = sentry::current() {
        return Some(trace);
    }
    None
}

/// Goes on in a span with the trace that a job has, if it has one. Anything else in those headers
/// is as good as nothing.
#[cfg_attr(
    not(feature = "opentelemetry"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(super) fn continue_in(span: &Span, headers: &Headers) {
    #[cfg(feature = "opentelemetry")]
    if !span.is_disabled() {
        opentelemetry::continue_in(span, headers);
    }
}

/// The trace that a job has, for a field which Sentry reads when a span begins.
#[cfg_attr(
    not(feature = "sentry"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(super) fn sentry_trace(headers: &Headers) -> Option<String> {
    #[cfg(feature = "sentry")]
    if sentry::is_active() {
        return sentry::trace_of(headers);
    }
    None
}

/// The value of a field that is Sentry's alone.
#[cfg_attr(
    not(feature = "sentry"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(super) fn for_sentry<T: Value>(value: T) -> Option<T> {
    #[cfg(feature = "sentry")]
    if sentry::is_active() {
        return Some(value);
    }
    None
}

/// Tells those who do not read `otel.status_code` how a span ends, which is the current one.
#[cfg_attr(
    not(feature = "sentry"),
    expect(unused_variables, reason = "there is nobody to tell")
)]
pub(super) fn note_end(span: &Span, is_failed: bool) {
    // Then the current one is somebody else's.
    #[cfg(feature = "sentry")]
    if !span.is_disabled() {
        sentry::note_end(is_failed);
    }
}
