//! The jobs that chaos is made with. Each leaves its traces, so that a checker can tell
//! afterwards what has run.
//!
//! Traces go over a connection of their own, at once: they tell of attempts that came to
//! nothing, too. A handler that cannot leave its first trace fails before it does anything.
//!
//! What must complete has more attempts than chaos can use up in a long run (25 it can).

use std::{
    process,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use pgqueuer::{BoxError, prelude::*};

use crate::ledger::{self, Ledger};

type Done = Result<(), BoxError>;

/// How many of `narrow` may run at a time in a worker that bounds its queue.
pub(crate) const NARROW: usize = 2;

/// Does nothing.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn quick(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await
}

/// What others enqueue in their own transaction.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn child(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await
}

/// Takes its time, some of them longer than a lease.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn slow(milliseconds: u64, ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    ledger.note(context, "ended", "").await
}

/// Is enqueued for later.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn delayed(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await
}

/// Fails a few times.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "1s"))]
pub(crate) async fn flaky(failures: u16, ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    fail_until(failures, context)
}

/// Panics a few times.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "1s"))]
pub(crate) async fn panicky(panics: u16, ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    assert!(context.attempt() > panics, "as it was told to");
    Ok(())
}

/// Takes longer than it may, once.
#[job(
    max_attempts = 1000,
    timeout = "500ms",
    backoff(base = "100ms", max = "1s")
)]
pub(crate) async fn overdue(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    if context.attempt() == 1 {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    Ok(())
}

/// Fails each time, and is held.
#[job(max_attempts = 3, backoff = "200ms")]
pub(crate) async fn doomed(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    Err("as it was told to".into())
}

/// Fails each time, and is given up.
#[job(max_attempts = 2, backoff = "200ms", on_failure = "discard")]
pub(crate) async fn dropped(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    Err("as it was told to".into())
}

/// Ends as cancelled.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn called_off(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    Err(Cancel::new("as it was told to").into())
}

/// Asks to run later, which costs no attempt.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn snoozy(times: i64, ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    if ledger.count(context, "snoozed").await? >= times {
        return Ok(());
    }
    ledger.note(context, "snoozed", "").await?;
    Err(Snooze::after(Duration::from_millis(200)).into())
}

/// Writes in its own transaction, and enqueues a job in it.
#[job(max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
pub(crate) async fn pay(
    failures: u16,
    milliseconds: u64,
    mut tx: Tx,
    ledger: State<Ledger>,
    context: &Context,
) -> Done {
    ledger.began(context).await?;
    ledger::write_effect(&mut tx, context).await?;
    let id = Child {}.enqueue(&mut *tx).await?;
    ledger::ask(&mut tx, &[id], Child::KIND, None).await?;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    fail_until(failures, context)
}

/// Takes the process with it, the first time.
#[job(max_attempts = 1000)]
pub(crate) async fn deadly(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    if context.attempt() == 1 {
        process::abort();
    }
    Ok(())
}

/// Takes the process with it each time, and is held.
#[job(max_attempts = 2)]
pub(crate) async fn cursed(ledger: State<Ledger>, context: &Context) -> Done {
    ledger.began(context).await?;
    process::abort()
}

/// Of these, a worker may run few at a time.
#[job(
    queue = "narrow",
    max_attempts = 1000,
    backoff(base = "100ms", max = "2s")
)]
pub(crate) async fn narrow(ledger: State<Ledger>, context: &Context) -> Done {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    /// Also counts down for a handler that is dropped.
    struct Running;
    impl Drop for Running {
        fn drop(&mut self) {
            RUNNING.fetch_sub(1, SeqCst);
        }
    }

    let running = RUNNING.fetch_add(1, SeqCst) + 1;
    let _running = Running;
    ledger.began(context).await?;
    if running > NARROW && ledger.is_narrow {
        let how_many = running.to_string();
        ledger.note(context, "over the limit", &how_many).await?;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(())
}

/// Comes by itself.
#[schedule(every = "1s", max_attempts = 1000, backoff(base = "100ms", max = "2s"))]
async fn tick(ledger: State<Ledger>, slot: pgqueuer::Tick, context: &Context) -> Done {
    ledger.began(context).await?;
    let slot = slot.slot.to_rfc3339();
    ledger.note(context, "ticked", &slot).await
}

fn fail_until(failures: u16, context: &Context) -> Done {
    if context.attempt() <= failures {
        return Err("as it was told to".into());
    }
    Ok(())
}
