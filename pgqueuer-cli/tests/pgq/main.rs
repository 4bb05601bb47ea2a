//! The program `pgq`, as a process: its messages, its exit codes, what it leaves behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod connecting;
mod jobs;
mod operate;
mod schedules;
mod schema;
mod support;
mod watch;
