//! What the measurements have in common: their jobs, and workers without anything in between.

use std::{
    env,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use pgqueuer::{BoxError, HandlerFuture, prelude::*};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{Result, ledger::Ledger, server::Server};

/// How many of `Noop` this process has run.
static DONE: AtomicU64 = AtomicU64::new(0);

/// Does nothing, and is counted.
#[job(queue = "load")]
pub(crate) async fn noop() {
    DONE.fetch_add(1, Relaxed);
}

/// Runs until its worker is killed; after that, for 100 ms.
#[job(queue = "crash")]
pub(crate) async fn nap(ledger: State<Ledger>, context: &Context) -> Result<(), BoxError> {
    ledger.began(context).await?;
    let first = context.attempt() == 1;
    let how_long = Duration::from_millis(if first { 600_000 } else { 100 });
    tokio::time::sleep(how_long).await;
    ledger.note(context, "ended", "").await
}

/// A job that no worker here knows of.
#[derive(Serialize, Deserialize)]
pub(crate) struct Foreign {}

impl Job for Foreign {
    type Output = ();

    const KIND: &'static str = "foreign";

    fn run(self, _: Context) -> pgqueuer::Result<HandlerFuture> {
        unreachable!("no worker knows of it")
    }
}

/// A worker with the default settings, straight on the server.
pub(crate) fn worker(server: &Server, name: &str, queue: &str) -> Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["worker", "--name", name, "--queue", queue])
        .args(["--concurrency", "200"])
        .env("DATABASE_URL", &server.url)
        .env("CHAOS_WORKER", name)
        .env("RUST_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

/// The same, which tells how many jobs it has run, all the time.
pub(crate) fn counted_worker(server: &Server, queue: &str) -> Result<(Child, Arc<AtomicU64>)> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["worker", "--name", "counted", "--queue", queue])
        .env("DATABASE_URL", &server.url)
        .env("CHAOS_TALLY", "yes")
        .env(
            "RUST_LOG",
            env::var_os("RUST_LOG").unwrap_or("error".into()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let counted = Arc::new(AtomicU64::new(0));
    if let Some(output) = child.stdout.take() {
        let counted = Arc::clone(&counted);
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(count) = line.parse() {
                    counted.store(count, Relaxed);
                }
            }
        });
    }
    Ok((child, counted))
}

/// Tells how many jobs this process has run, if it was asked to.
pub(crate) fn tell_count() {
    if env::var_os("CHAOS_TALLY").is_some() {
        thread::spawn(|| {
            loop {
                println!("{}", DONE.load(Relaxed));
                thread::sleep(Duration::from_millis(10));
            }
        });
    }
}
