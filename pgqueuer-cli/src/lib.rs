#![doc = include_str!("../README.md")]

// In reading order: the face, what is asked for, what is answered, and the commands between.
mod app;
mod cli;
mod commands;
mod connection;
mod exit;

mod catalog;
mod figures;
mod log_fields;
mod metrics_server;
mod output;
mod progress;
mod table;

pub use app::App;
pub use exit::Failure;

/// The program `pgq`: the commands that need no types.
#[doc(hidden)]
pub async fn pgq() {
    app::run_pgq().await;
}
