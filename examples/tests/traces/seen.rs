//! Spans, as exporters have sent them: OTLP, and the envelopes of Sentry.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Otlp},
    trace::v1::span::SpanKind,
};
use prost::Message as _;
use serde_json::Value;

use crate::collector::Received;

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// Empty where the exporter knows none.
    pub(crate) kind: &'static str,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty of a root.
    pub(crate) parent: String,
    pub(crate) is_failed: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The names of those that are numbers.
    pub(crate) numbers: BTreeSet<String>,
}

/// All spans in requests of OTLP over HTTP.
pub(crate) fn in_otlp(received: &[Received]) -> Vec<Seen> {
    let traces = received.iter().filter(|(path, _)| path == "/v1/traces");
    let requests = traces.map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).unwrap());
    let scopes = requests
        .flat_map(|it| it.resource_spans)
        .flat_map(|it| it.scope_spans);
    let spans = scopes.flat_map(|it| it.spans).map(|span| Seen {
        kind: match span.kind() {
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
            _ => "",
        },
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        is_failed: span.status.is_some_and(|it| it.code == 2),
        numbers: span
            .attributes
            .iter()
            .filter(|it| is_number(it))
            .map(|it| it.key.clone())
            .collect(),
        attributes: span.attributes.into_iter().map(attribute).collect(),
        name: span.name,
    });
    // Logfire tells of spans that have only begun, too.
    spans
        .filter(|it| {
            it.attributes
                .get("logfire.span_type")
                .is_none_or(|it| it != "pending_span")
        })
        .collect()
}

fn is_number(attribute: &KeyValue) -> bool {
    let value = attribute.value.as_ref().and_then(|it| it.value.as_ref());
    matches!(value, Some(Otlp::IntValue(_)))
}

fn attribute(KeyValue { key, value, .. }: KeyValue) -> (String, String) {
    let value = match value.and_then(|it| it.value) {
        Some(Otlp::StringValue(text)) => text,
        Some(Otlp::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    (key, value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All transactions in envelopes of Sentry, and the spans in them.
pub(crate) fn in_envelopes(received: &[Received]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (_, body) in received {
        // Lines of JSON: a header, then the header of each item, and the item.
        let mut lines = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        let _header = lines.next();
        while let (Some(Ok(header)), Some(Ok(item))) = (lines.next(), lines.next()) {
            if header["type"] == "transaction" {
                seen.push(span(&item["contexts"]["trace"], &item["transaction"]));
                let within = item["spans"].as_array().into_iter().flatten();
                seen.extend(within.map(|it| span(it, &it["description"])));
            }
        }
    }
    seen
}

fn span(span: &Value, name: &Value) -> Seen {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let data = span["data"].as_object().into_iter().flatten();
    let numbers = data.clone().filter(|(_, value)| value.is_number());
    Seen {
        name: text(name),
        kind: match span["op"].as_str() {
            Some("queue.publish") => "producer",
            Some("queue.process") => "consumer",
            _ => "",
        },
        trace: text(&span["trace_id"]),
        id: text(&span["span_id"]),
        parent: text(&span["parent_span_id"]),
        is_failed: span["status"] == "internal_error",
        numbers: numbers.map(|(key, _)| key.clone()).collect(),
        attributes: data
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    }
}
