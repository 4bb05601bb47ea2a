//! One job, run by itself.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Codec, Context, ErrorKind, FailureReason, HandlerFuture, Hold, Job as _, Outcome, Payload,
    PgQueuer, State, Tick, Tx, job, schedule,
    testing::{self, TestQueue, assert_enqueued},
};

use super::{Notes, noting};

#[job]
async fn kit_divide(dividend: u32, divisor: u32) -> Result<u32, String> {
    dividend
        .checked_div(divisor)
        .ok_or_else(|| "nobody divides by zero".to_owned())
}

#[job(max_attempts = 3)]
async fn kit_look_around(context: Context, notes: State<Notes>) {
    notes.note(format!(
        "{} {} {} {:?}",
        context.kind(),
        context.attempt(),
        context.is_last_attempt(),
        context.header("tenant")
    ));
}

#[job]
async fn kit_panic() {
    panic!("on purpose");
}

#[job]
async fn kit_hold() -> Result<(), Hold> {
    Err(Hold::new("for a person"))
}

#[job(timeout = "10s")]
async fn kit_slow(cleans_up: bool, context: Context) -> Result<(), String> {
    context.cancelled().await;
    if cleans_up {
        Ok(())
    } else {
        Err("cancelled".into())
    }
}

#[schedule("0 9 * * *")]
async fn kit_report(tick: Tick) -> Result<String, String> {
    assert_eq!(tick.late_by, TimeDelta::zero());
    Ok(format!("{:?} {}", tick.schedule, tick.slot.to_rfc3339()))
}

#[job]
async fn kit_enqueue(pgq: State<PgQueuer>) -> pgqueuer::Result<()> {
    KitPanic {}.enqueue(&*pgq).await?;
    Ok(())
}

#[job]
async fn kit_transfer(tx: Tx) {
    drop(tx);
}

/// Writes what it cannot read.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Fickle;

impl pgqueuer::Job for Fickle {
    type Output = ();

    const KIND: &'static str = "kit_fickle";

    fn encode(&self) -> pgqueuer::Result<Payload> {
        Ok(Payload {
            codec: Codec::Json,
            bytes: b"\"something else\"".to_vec(),
        })
    }

    fn run(self, _context: Context) -> pgqueuer::Result<HandlerFuture> {
        Ok(Box::pin(async { Outcome::done() }))
    }
}

#[tokio::test]
async fn results_and_errors_are_outcomes() {
    let divided = testing::run(KitDivide {
        dividend: 42,
        divisor: 6,
    });
    assert_eq!(divided.await.unwrap().result::<u32>(), Ok(7));

    let failed = testing::run(KitDivide {
        dividend: 1,
        divisor: 0,
    });
    let Outcome::Failed(cause) = failed.await.unwrap() else {
        panic!("it did not fail");
    };
    assert_eq!(cause.message(), "nobody divides by zero");

    let held = testing::run(KitHold {}).await.unwrap();
    assert!(matches!(held, Outcome::Held(_)), "{held:?}");
}

#[tokio::test]
async fn the_handler_finds_what_was_said() {
    let notes = || Notes::default();
    let queue = TestQueue::in_memory();
    let seen = queue.state(notes());

    queue.run(KitLookAround {}).await.unwrap();
    queue
        .run(KitLookAround {})
        .attempt(3)
        .header("tenant", "acme")
        .await
        .unwrap();

    let lines = [
        "kit_look_around 1 false None",
        "kit_look_around 3 true Some(\"acme\")",
    ];
    assert_eq!(seen.lines(), lines);
}

#[tokio::test]
async fn a_panic_is_caught() {
    let outcome = testing::run(KitPanic {}).await.unwrap();

    let cause = outcome.cause().unwrap();
    assert_eq!(cause.reason(), FailureReason::Panic);
    assert!(
        cause.message().ends_with("on purpose"),
        "{}",
        cause.message()
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_holds() {
    let outcome = testing::run(KitSlow { cleans_up: false }).await.unwrap();
    let cause = outcome.cause().unwrap();
    assert_eq!(cause.reason(), FailureReason::Timeout);
    assert_eq!(cause.message(), "took longer than its timeout of 10s");

    let began = tokio::time::Instant::now();
    let outcome = testing::run(KitSlow { cleans_up: true }).await.unwrap();
    assert!(outcome.is_completed(), "{outcome:?}");
    assert_eq!(began.elapsed().as_secs(), Duration::from_secs(10).as_secs());
}

#[tokio::test]
async fn a_schedule_runs_for_a_slot() {
    let slot: DateTime<Utc> = "2026-03-30T07:00:00Z".parse().unwrap();

    let outcome = testing::run(KitReport {})
        .scheduled_for(slot)
        .await
        .unwrap();

    let expected = "Some(\"kit_report\") 2026-03-30T07:00:00+00:00";
    assert_eq!(outcome.result::<String>(), Ok(expected.to_owned()));
}

#[tokio::test]
async fn arguments_are_encoded_and_decoded() {
    let outcome = testing::run(Fickle).await.unwrap();

    assert_eq!(
        outcome.cause().unwrap().reason(),
        FailureReason::Undecodable
    );
}

#[tokio::test]
async fn what_cannot_run_at_all_is_an_error() {
    let missing = testing::run(KitLookAround {}).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Config);
    assert_eq!(
        missing.to_string(),
        "job `kit_look_around` takes `State<suite::testing::Notes>`; give that with `.state(…)`, or \
         run it with `queue.run(…)`, which has what was given to the queue, and the queue"
    );
    assert!(
        testing::run(KitLookAround {})
            .state(Notes::default())
            .await
            .is_ok()
    );

    let transaction = testing::run(KitTransfer {}).await.unwrap_err();
    assert!(
        transaction.to_string().contains("takes a `Tx`"),
        "{transaction}"
    );

    let zero = testing::run(KitPanic {}).attempt(0).await.unwrap_err();
    assert!(zero.to_string().contains("count from 1"), "{zero}");
}

#[pgqueuer::test]
async fn the_handler_enqueues_to_the_queue_of_the_test(queue: TestQueue) {
    noting(&queue);

    let outcome = queue.run(KitEnqueue {}).await.unwrap();

    assert!(outcome.is_completed());
    assert_enqueued!(queue, KitPanic {});
}

async fn twice(mut call: pgqueuer::Call) -> Outcome {
    call.state::<Notes>().unwrap().note("around");
    call.run().await;
    call.run().await
}

#[job(executor = twice)]
async fn kit_within(notes: State<Notes>) -> Result<u8, String> {
    notes.note("within");
    Ok(7)
}

#[tokio::test]
async fn the_executor_of_the_kind_is_around_it() {
    let queue = TestQueue::in_memory();
    let notes = queue.state(Notes::default());
    let outcome = queue.run(KitWithin {}).await.unwrap();
    assert_eq!(outcome.result(), Ok(7_u8));
    assert_eq!(notes.lines(), ["around", "within", "within"]);
    let refused = testing::run(KitWithin {}).await.unwrap_err();
    assert!(refused.to_string().contains("takes `State<"), "{refused}");
}
