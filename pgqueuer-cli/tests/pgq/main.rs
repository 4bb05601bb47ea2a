//! The program `pgq`, as a process: its messages, its exit codes, what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod connecting;
mod edit;
mod every_command;
mod jobs;
mod look;
mod metrics;
mod operate;
mod schedules;
mod schema;
mod shell;
mod support;
mod tables;
mod terminal;
mod watch;
