//! How do traces get to Logfire? The producer's goes on in the worker, retries included.
//!
//! Run with:
//!
//! ```text
//! LOGFIRE_TOKEN=… cargo run --example logfire
//! ```
//!
//! `LOGFIRE_BASE_URL` sends elsewhere. Producer and worker as two programs, on a database with the
//! schema:
//!
//! ```text
//! export DATABASE_URL=postgres://…
//! cargo run --example logfire -- order
//! cargo run --example logfire -- worker
//! ```

#![expect(clippy::print_stdout, reason = "a program talks to people")]

#[path = "../traced/story.rs"]
mod story;

use logfire::config::SendToLogfire;
use pgqueuer::BoxError;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // TLS as `sqlx` has it: one provider for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let logfire = logfire::configure()
        .send_to_logfire(SendToLogfire::IfTokenPresent)
        .with_service_name("receipts")
        .with_default_level_filter(LevelFilter::INFO)
        .finish()?;
    let logfire = logfire.shutdown_guard();
    let told = story::tell().await;
    // Sends what is left.
    if let Err(problem) = logfire.shutdown() {
        println!("not all spans were sent: {problem}");
    }
    told
}
