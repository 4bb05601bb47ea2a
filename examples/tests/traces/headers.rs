//! Which jobs get headers, and which keep theirs.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::{
    Context, Value,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use pgqueuer::{Headers, JobFilter, MAX_HEADER_BYTES, PgQueuer, prelude::*};
use tracing::{Instrument as _, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

#[job]
async fn note(text: String) {
    drop(text);
}

/// Keeps the spans that have ended.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Within a span that is sampled or not, for as long as the guard lives. The default runtime of a test
/// has one thread.
fn traced(sampler: Sampler) -> tracing::subscriber::DefaultGuard {
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(spans))
}

async fn headers_of(
    pgq: &PgQueuer,
    jobs: impl IntoIterator<Item = pgqueuer::NewJob<Note>>,
) -> Headers {
    pgqueuer::enqueue_many(pgq, jobs).await.unwrap();
    let all = pgq.list_jobs(&JobFilter::all(), None, 10).await.unwrap();
    all.last().unwrap().headers.clone()
}

fn some() -> pgqueuer::NewJob<Note> {
    let text = String::new();
    Note { text }.options()
}

#[tokio::test]
async fn a_job_gets_the_trace_of_its_producer() {
    let _subscriber = traced(Sampler::AlwaysOn);
    let pgq = PgQueuer::in_memory();
    let request = info_span!("request");
    let trace = request.context().span().span_context().trace_id();
    let headers = headers_of(&pgq, [some()]).instrument(request.clone()).await;
    let begin = format!("00-{trace}-");
    assert!(headers["traceparent"].starts_with(&begin), "{headers:?}");
    assert_eq!(headers.len(), 1, "{headers:?}");

    // In a batch, and a stream, all of them.
    let headers = headers_of(&pgq, [some(), some()])
        .instrument(request.clone())
        .await;
    assert!(headers["traceparent"].starts_with(&begin), "{headers:?}");
    let jobs = futures_util::stream::iter([Note {
        text: String::new(),
    }]);
    let streamed = Note::enqueue_stream(&pgq, jobs).instrument(request).await;
    assert_eq!(streamed.unwrap(), 1);
    let all = pgq.list_jobs(&JobFilter::all(), None, 10).await.unwrap();
    assert_eq!(all.len(), 4);
    assert!(
        all.iter()
            .all(|it| it.headers["traceparent"].starts_with(&begin))
    );
}

/// As numbers, which can be added up.
#[tokio::test]
async fn batches_and_streams_say_how_many_there_are() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_span_processor(kept.clone());
    let tracer = provider.build().tracer("test");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let subscriber = tracing_subscriber::registry().with(spans);
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let pgq = PgQueuer::in_memory();
    let notes = |count| {
        (0..count).map(|_| Note {
            text: String::new(),
        })
    };

    Note::enqueue_many(&pgq, notes(1)).await.unwrap();
    Note::enqueue_many(&pgq, notes(2)).await.unwrap();
    for count in [1, 3] {
        let stream = futures_util::stream::iter(notes(count));
        Note::enqueue_stream(&pgq, stream).await.unwrap();
    }

    let spans = kept.0.lock().unwrap();
    let counts = spans.iter().map(|span| {
        let mut attributes = span.attributes.iter();
        let count = attributes.find(|it| it.key.as_str() == "messaging.batch.message_count");
        count.map(|it| it.value.clone())
    });
    let expected = [None, Some(2), None, Some(3)].map(|it| it.map(Value::I64));
    assert_eq!(counts.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn without_a_trace_that_is_recorded_there_is_no_header() {
    let pgq = PgQueuer::in_memory();
    assert_eq!(headers_of(&pgq, [some()]).await, Headers::new());
    let _subscriber = traced(Sampler::AlwaysOff);
    let unsampled = headers_of(&pgq, [some()]).instrument(info_span!("request"));
    assert_eq!(unsampled.await, Headers::new());
}

#[tokio::test]
async fn what_the_producer_gave_is_kept_up_to_the_last_byte() {
    let _subscriber = traced(Sampler::AlwaysOn);
    let pgq = PgQueuer::in_memory();
    let own = some().header("traceparent", "mine");
    let headers = headers_of(&pgq, [own]).await;
    assert_eq!(
        headers,
        Headers::from([("traceparent".into(), "mine".into())])
    );
    let full = some().header("a", "a".repeat(MAX_HEADER_BYTES - 1));
    let headers = headers_of(&pgq, [full]).await;
    assert_eq!(headers.len(), 2);
}
