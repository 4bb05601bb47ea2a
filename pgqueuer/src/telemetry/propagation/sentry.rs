//! Traces of Sentry. Its layer for `tracing` goes by fields of the span; what it sends to others is
//! known to its hub.

use sentry_core::{Hub, protocol::SpanStatus};

use super::traceparent::{SENTRY_TRACE, Trace, TraceParent};
use crate::context::Headers;

/// Whether the program sends anything to Sentry.
pub(super) fn is_active() -> bool {
    Hub::with_active(|_| true)
}

/// That of the current span, if Sentry records it.
pub(super) fn current() -> Option<Trace> {
    let span = sentry_core::configure_scope(|scope| scope.get_span())?;
    let (_, header) = span.iter_headers().next()?;
    let (trace_id, span_id) = header.strip_suffix("-1")?.split_once('-')?;
    Some(Trace::new(trace_id, span_id, String::new()))
}

/// The trace of a job, in Sentry's words. What Sentry's own libraries gave comes after what anybody
/// understands.
pub(super) fn trace_of(headers: &Headers) -> Option<String> {
    let Some(parent) = TraceParent::of(headers) else {
        return headers.get(SENTRY_TRACE).cloned();
    };
    let (trace_id, span_id) = (parent.trace_id, parent.span_id);
    let is_sampled = parent.flags & 1;
    Some(format!("{trace_id}-{span_id}-{is_sampled}"))
}

/// Says on the current span how it ends.
pub(super) fn note_end(is_failed: bool) {
    let status = if is_failed {
        SpanStatus::InternalError
    } else {
        SpanStatus::Ok
    };
    if let Some(span) = sentry_core::configure_scope(|scope| scope.get_span()) {
        span.set_status(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn either_header_will_do() {
        let mut headers = Headers::from([(SENTRY_TRACE.to_owned(), "of Sentry".to_owned())]);
        assert_eq!(trace_of(&headers).as_deref(), Some("of Sentry"));
        let parent = format!("00-{TRACE}-{SPAN}-00");
        headers.insert("traceparent".to_owned(), parent);
        assert_eq!(trace_of(&headers), Some(format!("{TRACE}-{SPAN}-0")));
        assert_eq!(trace_of(&Headers::new()), None);
    }
}
