//! How do traces get to Sentry? The producer's goes on in the worker, retries included.
//!
//! Run with:
//!
//! ```text
//! SENTRY_DSN=https://… cargo run --example sentry
//! ```
//!
//! Producer and worker as two programs, on a database with the schema:
//!
//! ```text
//! export DATABASE_URL=postgres://…
//! cargo run --example sentry -- order
//! cargo run --example sentry -- worker
//! ```

#![expect(clippy::print_stdout, reason = "a program talks to people")]

#[path = "../traced/story.rs"]
mod story;

use pgqueuer::BoxError;
use sentry::{
    ClientOptions,
    integrations::tracing::{ErrorLayer, SpanLayer},
};
use tracing_subscriber::{
    Layer as _, filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

// Sentry wants to be there before there are other threads.
fn main() -> Result<(), BoxError> {
    // TLS as `sqlx` has it: one provider for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // It takes the `SENTRY_DSN` by itself, and sends what is left when it is dropped.
    let _sentry = sentry::init(ClientOptions::new().traces_sample_rate(1.0));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(SpanLayer::new().with_filter(LevelFilter::INFO))
        // A job that is held is an issue.
        .with(ErrorLayer::new().with_filter(LevelFilter::ERROR))
        .with(lines.with_filter(LevelFilter::WARN))
        .try_init()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(story::tell())
}
