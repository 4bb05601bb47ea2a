//! How do traces get to OpenTelemetry? The producer's goes on in the worker, retries included.
//!
//! Run with:
//!
//! ```text
//! cargo run --example opentelemetry
//! ```
//!
//! The spans go to `OTEL_EXPORTER_OTLP_ENDPOINT`, by default `http://localhost:4318`, where a collector
//! or Jaeger listens. Producer and worker as two programs, on a database with the schema:
//!
//! ```text
//! export DATABASE_URL=postgres://…
//! cargo run --example opentelemetry -- order
//! cargo run --example opentelemetry -- worker
//! ```

#![expect(clippy::print_stdout, reason = "a program talks to people")]

#[path = "../traced/story.rs"]
mod story;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource, runtime,
    trace::{SdkTracerProvider, span_processor_with_async_runtime::BatchSpanProcessor},
};
use pgqueuer::BoxError;
use tracing_subscriber::{
    Layer as _, filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // TLS as `sqlx` has it: one provider for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = set_up()?;
    let told = story::tell().await;
    // Sends what is left.
    if let Err(problem) = provider.shutdown() {
        println!("not all spans were sent: {problem}");
    }
    told
}

/// Before `App::run`, which then leaves `tracing` alone.
fn set_up() -> Result<SdkTracerProvider, BoxError> {
    let exporter = SpanExporter::builder().with_http().build()?;
    let resource = Resource::builder().with_service_name("receipts");
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_span_processor(BatchSpanProcessor::builder(exporter, runtime::Tokio).build())
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("receipts"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(spans.with_filter(LevelFilter::INFO))
        .with(lines.with_filter(LevelFilter::WARN))
        .try_init()?;
    Ok(provider)
}
