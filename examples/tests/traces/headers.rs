//! Which jobs get headers, and which keep theirs.

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use pgqueuer::{Headers, JobFilter, MAX_HEADER_BYTES, PgQueuer, prelude::*};
use tracing::{Instrument as _, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

#[job]
async fn note(text: String) {
    drop(text);
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
