//! The trace of a synchronous producer goes along, too, though another thread enqueues. In a program of
//! its own, since the subscriber must be that of all threads.

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use pgqueuer::{JobFilter, PgQueuer, blocking, prelude::*};
use throwaway_postgres::Postgres;
use tracing::info_span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

#[job]
async fn note() {}

#[test]
fn a_synchronous_producer_is_in_its_trace() {
    let provider = SdkTracerProvider::builder().build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(spans)).unwrap();
    let server = Postgres::start().unwrap();
    let url = server.url("postgres");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pgq = runtime.block_on(async {
        let pgq = PgQueuer::connect(&url).await.unwrap();
        pgq.install().await.unwrap();
        pgq
    });

    let producer = blocking::PgQueuer::connect(&url).unwrap();
    let request = info_span!("request");
    let trace = request.context().span().span_context().trace_id();
    request.in_scope(|| producer.enqueue(Note {}).unwrap());

    let all = JobFilter::all();
    let jobs = runtime.block_on(pgq.list_jobs(&all, None, 10)).unwrap();
    let parent = &jobs[0].headers["traceparent"];
    assert!(parent.starts_with(&format!("00-{trace}-")), "{parent}");
}
