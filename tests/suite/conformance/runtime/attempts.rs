//! Attempts that fail: retries, panics, timeouts, payloads that do not decode.

use pgqueuer::{
    Codec, Context, Job as _, Payload, PgQueuer, State, job,
    store::{FailureReason, JobState, JobToEnqueue},
};

use super::{super::runtime_cases, Journal, drain, worker};
use crate::support::{self, enqueue};

runtime_cases! {
    are_repeated_until_one_succeeds,
    are_repeated_after_the_backoff,
    end_with_a_held_job,
    end_with_a_discarded_job_if_its_kind_asks_for_it,
    that_panic_are_repeated,
    that_panic_keep_message_and_backtrace,
    that_panic_with_something_odd_are_failures,
    that_panic_while_decoding_are_failures,
    that_panic_leave_the_worker_alone,
    that_take_too_long_are_cancelled,
    that_take_too_long_are_dropped_if_they_do_not_listen,
    that_take_too_long_may_still_end_well,
    with_bytes_that_do_not_decode_are_held,
    with_arguments_that_are_missing_are_held,
}

#[job(max_attempts = 5, backoff = "0s")]
async fn third_time_lucky(context: Context, journal: State<Journal>) -> Result<(), &'static str> {
    journal.note(format!(
        "{} of {}",
        context.attempt(),
        context.max_attempts()
    ));
    if context.attempt() < 3 {
        Err("not yet")
    } else {
        Ok(())
    }
}

async fn are_repeated_until_one_succeeds(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = ThirdTimeLucky {}.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<ThirdTimeLucky>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((report.retried, report.completed), (2, 1));
    assert_eq!(journal.lines(), ["1 of 5", "2 of 5", "3 of 5"]);
    assert_eq!((record.state, record.attempt), (JobState::Completed, 3));
    assert_eq!(record.failures.len(), 2);
}

#[job(backoff(base = "1h", factor = 2, max = "10h", jitter = 0.0))]
async fn fails_slowly() -> Result<(), &'static str> {
    Err("busy")
}

async fn are_repeated_after_the_backoff(pgq: &PgQueuer) {
    let id = FailsSlowly {}.enqueue(pgq).await.unwrap();
    let before = pgq.now().await.unwrap();

    drain(worker(pgq, &Journal::default()).register::<FailsSlowly>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    let wait = record.run_at.unwrap() - before;
    assert_eq!(record.state, JobState::Scheduled);
    assert!((3600..3720).contains(&wait.num_seconds()), "{wait}");
}

#[job(max_attempts = 2, backoff = "0s")]
async fn always_fails(number: u32) -> Result<(), String> {
    Err(format!("number {number} is unlucky"))
}

async fn end_with_a_held_job(pgq: &PgQueuer) {
    let id = AlwaysFails { number: 13 }.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &Journal::default()).register::<AlwaysFails>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((report.retried, report.held), (1, 1));
    assert_eq!((record.state, record.attempt), (JobState::Held, 2));
    assert_eq!(record.failures[1].message, "number 13 is unlucky");
    assert!(record.payload.is_some(), "a person needs it");
}

#[job(max_attempts = 1, on_failure = "discard")]
async fn not_important() -> Result<(), &'static str> {
    Err("never mind")
}

async fn end_with_a_discarded_job_if_its_kind_asks_for_it(pgq: &PgQueuer) {
    let id = NotImportant {}.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &Journal::default()).register::<NotImportant>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((record.state, report.discarded), (JobState::Discarded, 1));
    assert_eq!(record.failures[0].message, "never mind");
}

#[job(max_attempts = 2, backoff = "0s")]
async fn panics(message: String) {
    panic!("the message is {message}");
}

async fn that_panic_are_repeated(pgq: &PgQueuer) {
    let id = Panics {
        message: String::new(),
    }
    .enqueue(pgq)
    .await
    .unwrap();

    let report = drain(worker(pgq, &Journal::default()).register::<Panics>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((report.retried, report.held), (1, 1));
    assert_eq!((record.state, record.failures.len()), (JobState::Held, 2));
}

async fn that_panic_keep_message_and_backtrace(pgq: &PgQueuer) {
    let id = Panics {
        message: "'é'\0".into(),
    }
    .enqueue(pgq)
    .await
    .unwrap();

    drain(worker(pgq, &Journal::default()).register::<Panics>()).await;

    let failures = pgq.get_job(id).await.unwrap().unwrap().failures;
    assert_eq!(failures[0].reason, FailureReason::Panic);
    let message = &failures[0].message;
    assert!(message.contains("the message is 'é'"), "{message}");
    assert!(message.contains("attempts.rs:"), "{message}");
    let backtrace = failures[0].backtrace.as_deref().unwrap_or_default();
    assert!(backtrace.contains("panics"), "{backtrace}");
}

#[job(max_attempts = 1)]
async fn panics_oddly() {
    std::panic::panic_any(42_u8);
}

async fn that_panic_with_something_odd_are_failures(pgq: &PgQueuer) {
    let id = PanicsOddly {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &Journal::default()).register::<PanicsOddly>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Held);
    assert_eq!(record.failures[0].reason, FailureReason::Panic);
}

/// Panics when it is decoded, unless it is empty (the producer decodes, too).
#[derive(Clone, Debug, serde::Serialize)]
struct Trap(String);

impl<'de> serde::Deserialize<'de> for Trap {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert!(text.is_empty(), "the trap has sprung");
        Ok(Self(text))
    }
}

#[job(max_attempts = 1)]
async fn decodes_badly(trap: Trap) {
    drop(trap);
}

async fn that_panic_while_decoding_are_failures(pgq: &PgQueuer) {
    let trap = JobToEnqueue {
        payload: Payload {
            codec: Codec::Json,
            bytes: br#"{"trap": "set"}"#.to_vec(),
        },
        ..support::job("decodes_badly")
    };
    let id = enqueue(&**pgq.store(), trap).await;

    let report = drain(worker(pgq, &Journal::default()).register::<DecodesBadly>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((record.state, report.held), (JobState::Held, 1));
    let message = &record.failures[0].message;
    assert!(message.contains("the trap has sprung"), "{message}");
}

async fn that_panic_leave_the_worker_alone(pgq: &PgQueuer) {
    let journal = Journal::default();
    for _ in 0..5 {
        Panics {
            message: String::new(),
        }
        .enqueue(pgq)
        .await
        .unwrap();
        ThirdTimeLucky {}.enqueue(pgq).await.unwrap();
    }

    let worker = worker(pgq, &journal).concurrency(1);
    let report = drain(worker.register::<Panics>().register::<ThirdTimeLucky>()).await;

    assert_eq!((report.completed, report.held), (5, 5));
}

#[job(max_attempts = 1, timeout = "20ms")]
async fn listens(context: Context, journal: State<Journal>) -> Result<(), &'static str> {
    context.cancellation().cancelled().await;
    journal.note("cancelled");
    Err("stopped half-way")
}

async fn that_take_too_long_are_cancelled(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = Listens {}.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<Listens>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((record.state, report.held), (JobState::Held, 1));
    assert_eq!(journal.lines(), ["cancelled"]);
    assert_eq!(record.failures[0].reason, FailureReason::Timeout);
    let message = &record.failures[0].message;
    assert!(message.contains("20ms"), "{message}");
}

#[job(max_attempts = 1, timeout = "20ms")]
async fn does_not_listen(journal: State<Journal>) {
    struct Dropped(State<Journal>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let _dropped = Dropped(journal);
    std::future::pending::<()>().await;
}

async fn that_take_too_long_are_dropped_if_they_do_not_listen(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = DoesNotListen {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<DoesNotListen>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Held);
    assert_eq!(record.failures[0].reason, FailureReason::Timeout);
    assert_eq!(journal.lines(), ["dropped"]);
}

#[job(max_attempts = 1, timeout = "20ms")]
async fn ends_well(context: Context) {
    context.cancellation().cancelled().await;
}

async fn that_take_too_long_may_still_end_well(pgq: &PgQueuer) {
    let id = EndsWell {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &Journal::default()).register::<EndsWell>()).await;

    assert_eq!(
        support::state(&**pgq.store(), id).await,
        JobState::Completed
    );
}

async fn with_bytes_that_do_not_decode_are_held(pgq: &PgQueuer) {
    let store = &**pgq.store();
    let odd_bytes: [&[u8]; 4] = [
        b"",
        b"\xff\xff\xff",
        b"\x01\x06number\x01\xff\xff\xff\x7f",
        b"{}",
    ];
    let mut ids = Vec::new();
    for bytes in odd_bytes {
        let payload = Payload {
            codec: Codec::Framed,
            bytes: bytes.to_vec(),
        };
        let job = JobToEnqueue {
            payload,
            ..support::job("always_fails")
        };
        ids.push(enqueue(store, job).await);
    }

    let worker = worker(pgq, &Journal::default()).concurrency(1);
    let report = drain(worker.register::<AlwaysFails>()).await;

    assert_eq!((report.held, report.retried), (4, 0));
    for (id, bytes) in ids.into_iter().zip(odd_bytes) {
        let record = support::record(store, id).await;
        assert_eq!(record.state, JobState::Held);
        assert_eq!(record.failures[0].reason, FailureReason::Undecodable);
        assert_eq!(record.payload.map(|it| it.bytes).as_deref(), Some(bytes));
    }
}

async fn with_arguments_that_are_missing_are_held(pgq: &PgQueuer) {
    let journal = Journal::default();
    let store = &**pgq.store();
    // The helper's job has no arguments.
    let id = enqueue(store, support::job("always_fails")).await;
    ThirdTimeLucky {}.enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &journal).register::<ThirdTimeLucky>();
    let report = drain(worker.register::<AlwaysFails>()).await;

    let record = support::record(store, id).await;
    assert_eq!((record.state, record.attempt), (JobState::Held, 1));
    let message = &record.failures[0].message;
    assert!(
        message.contains("number"),
        "it names the argument: {message}"
    );
    assert_eq!(report.completed, 1, "the worker goes on");
}
