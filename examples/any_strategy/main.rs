//! May I decide for myself? When a job is tried again, by what its error says; and what is done
//! around it, by what the whole worker has seen.
//!
//! Run with:
//!
//! ```text
//! cargo run --example any_strategy
//! ```
//!
//! In memory, and over in a second.

#![expect(clippy::print_stdout, reason = "a program talks to people")]

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use pgqueuer::{
    BoxError, Call, Cause, Executor, Outcome, RetryStrategy, Typed, async_trait, prelude::*,
};
use serde::{Deserialize, Serialize};

/// What the bank says.
#[derive(Debug, Serialize, Deserialize)]
enum Refused {
    Busy { for_millis: u64 },
    NoMoney,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { for_millis } => write!(f, "busy for {for_millis} ms"),
            Self::NoMoney => f.write_str("no money in the account"),
        }
    }
}

impl std::error::Error for Refused {}

/// Waits as long as the bank is busy, and does not try in vain.
struct AsTheBankSays {
    otherwise: Duration,
}

impl RetryStrategy for AsTheBankSays {
    fn wait(&self, cause: &Cause, attempt: u16) -> Option<Duration> {
        let wait = match cause.error::<Refused>() {
            Some(Refused::Busy { for_millis }) => Some(Duration::from_millis(for_millis)),
            Some(Refused::NoMoney) => None,
            // Another error, a panic or a timeout.
            None => Some(self.otherwise * attempt.into()),
        };
        println!(
            "{cause}: {}",
            match wait {
                Some(wait) => format!("again in {wait:?}"),
                None => "not again".to_owned(),
            }
        );
        wait
    }
}

#[job(retry = AsTheBankSays { otherwise: Duration::from_secs(1) }, on_failure = "discard")]
async fn charge(account: i64, context: &Context) -> Result<(), Typed<Refused>> {
    match (account, context.attempt()) {
        (1, 1) => Err(Refused::Busy { for_millis: 300 })?,
        (2, _) => Err(Refused::NoMoney)?,
        _ => println!("charged account {account}"),
    }
    Ok(())
}

/// Around all jobs of the worker: a second try at once, of which the queue knows nothing, as long as
/// that has not been too often in vain.
struct SecondTry {
    left: AtomicU32,
}

#[async_trait]
impl Executor for SecondTry {
    async fn execute(&self, mut call: Call) -> Outcome {
        let outcome = call.run().await;
        let may_try = || {
            self.left
                .fetch_update(Relaxed, Relaxed, |it| it.checked_sub(1))
        };
        if !matches!(outcome, Outcome::Failed(_)) || may_try().is_err() {
            return outcome;
        }
        println!(
            "a second try of {} {}",
            call.kind(),
            call.context().job_id()
        );
        call.run().await
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let pgq = PgQueuer::in_memory();
    let accounts = [1, 2, 3].map(|account| Charge { account });
    let jobs = Charge::enqueue_many(&pgq, accounts).await?;

    let worker = pgq.worker().concurrency(1);
    let worker = worker
        .executor(SecondTry {
            left: AtomicU32::new(1),
        })
        .build()?;
    let all: Vec<_> = jobs.iter().map(pgqueuer::JobHandle::wait).collect();
    let report = worker
        .run_until(async move {
            for ended in all {
                // Whether it was charged or not, it is over.
                let _ = ended.await;
            }
        })
        .await?;
    println!(
        "{} charged, {} given up",
        report.completed, report.discarded
    );
    Ok(())
}
