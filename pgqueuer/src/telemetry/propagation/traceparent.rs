//! The headers of W3C Trace Context.

use crate::context::Headers;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
/// What Sentry's own libraries send: `TRACE-SPAN-1`.
pub(super) const SENTRY_TRACE: &str = "sentry-trace";

/// The longest `tracestate` that is passed on: all that the standard asks for.
const MOST_STATE: usize = 512;

/// A trace to be given to jobs.
pub(super) struct Trace {
    parent: String,
    state: String,
}

impl Trace {
    /// `trace_id` and `span_id` are 32 and 16 digits. The trace is recorded.
    pub(super) fn new(trace_id: &str, span_id: &str, state: String) -> Self {
        Self {
            parent: format!("00-{trace_id}-{span_id}-01"),
            state,
        }
    }

    /// What the producer gave by hand stays.
    pub(super) fn put_into(&self, headers: &mut Headers) {
        if [TRACEPARENT, SENTRY_TRACE]
            .iter()
            .any(|it| headers.contains_key(*it))
        {
            return;
        }
        // That of another trace, then.
        headers.remove(TRACESTATE);
        headers.insert(TRACEPARENT.to_owned(), self.parent.clone());
        if !self.state.is_empty() && self.state.len() <= MOST_STATE {
            headers.insert(TRACESTATE.to_owned(), self.state.clone());
        }
    }
}

/// The trace that a job has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceParent<'a> {
    pub(super) trace_id: &'a str,
    pub(super) span_id: &'a str,
    pub(super) flags: u8,
    pub(super) state: &'a str,
}

impl<'a> TraceParent<'a> {
    /// `None` also if it is malformed.
    pub(super) fn of(headers: &'a Headers) -> Option<Self> {
        let parent = Self::parse(headers.get(TRACEPARENT)?)?;
        let state = headers.get(TRACESTATE).map_or("", String::as_str);
        Some(Self { state, ..parent })
    }

    fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.splitn(5, '-');
        let version = parts.next().filter(|it| is_hex(it, 2) && *it != "ff")?;
        let trace_id = parts.next().filter(|it| is_id(it, 32))?;
        let span_id = parts.next().filter(|it| is_id(it, 16))?;
        let flags = parts.next().filter(|it| is_hex(it, 2))?;
        // Later versions may say more.
        if version == "00" && parts.next().is_some() {
            return None;
        }
        Some(Self {
            trace_id,
            span_id,
            flags: u8::from_str_radix(flags, 16).ok()?,
            state: "",
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|it| it != b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_is_given_is_read() {
        let mut headers = Headers::new();
        Trace::new(TRACE, SPAN, "a=1".to_owned()).put_into(&mut headers);
        let read = TraceParent {
            trace_id: TRACE,
            span_id: SPAN,
            flags: 1,
            state: "a=1",
        };
        assert_eq!(TraceParent::of(&headers), Some(read));
    }

    #[test]
    fn what_the_producer_gave_stays() {
        for name in [TRACEPARENT, SENTRY_TRACE] {
            let mut headers = Headers::from([(name.to_owned(), "mine".to_owned())]);
            let given = headers.clone();
            Trace::new(TRACE, SPAN, "a=1".to_owned()).put_into(&mut headers);
            assert_eq!(headers, given);
        }
    }

    #[test]
    fn a_state_without_its_trace_is_left_behind() {
        let mut headers = Headers::from([(TRACESTATE.to_owned(), "b=2".to_owned())]);
        Trace::new(TRACE, SPAN, String::new()).put_into(&mut headers);
        assert_eq!(TraceParent::of(&headers).map(|it| it.state), Some(""));
    }

    #[test]
    fn a_long_state_is_left_behind() {
        let mut headers = Headers::new();
        Trace::new(TRACE, SPAN, "a".repeat(MOST_STATE + 1)).put_into(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn versions_to_come_may_say_more() {
        let later = format!("01-{TRACE}-{SPAN}-01-more");
        assert!(TraceParent::parse(&later).is_some());
        assert!(TraceParent::parse(&format!("ff-{TRACE}-{SPAN}-01")).is_none());
    }

    #[test]
    fn anything_else_is_nothing() {
        let zeros = "0".repeat(32);
        for malformed in [
            "",
            "mine",
            &format!("00-{TRACE}-{SPAN}"),
            &format!("00-{TRACE}-{SPAN}-01-more"),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{zeros}-{SPAN}-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}-{SPAN}-0g"),
            &format!("00-{TRACE}-{SPAN}-+1"),
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", tail in "[0-9a-f-]{0,60}") {
            let _ = TraceParent::parse(&text);
            let _ = TraceParent::parse(&format!("00-{tail}"));
        }
    }
}
