//! Traces of OpenTelemetry, and so of Logfire, by `tracing-opentelemetry`.

use std::str::FromStr as _;

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::traceparent::{Trace, TraceParent};
use crate::context::Headers;

/// That of the current span, or one that was begun without `tracing`.
pub(super) fn current() -> Option<Trace> {
    let mut context = Span::current().context();
    if !context.has_active_span() {
        context = Context::current();
    }
    let span = context.span();
    let span = span.span_context();
    (span.is_valid() && span.is_sampled()).then(|| {
        Trace::new(
            &span.trace_id().to_string(),
            &span.span_id().to_string(),
            span.trace_state().header(),
        )
    })
}

pub(super) fn continue_in(span: &Span, headers: &Headers) {
    let Some(parent) = TraceParent::of(headers) else {
        return;
    };
    let ids = (
        TraceId::from_hex(parent.trace_id),
        SpanId::from_hex(parent.span_id),
    );
    let (Ok(trace_id), Ok(span_id)) = ids else {
        return;
    };
    let flags = TraceFlags::new(parent.flags);
    let state = TraceState::from_str(parent.state).unwrap_or_default();
    let remote = SpanContext::new(trace_id, span_id, flags, true, state);
    // Refused if no layer exports the span: then there is no trace to go on with.
    let _ = span.set_parent(Context::new().with_remote_span_context(remote));
}
