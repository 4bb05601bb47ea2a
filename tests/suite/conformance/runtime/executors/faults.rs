//! Executors and what goes wrong: panics, payloads that do not decode, timeouts, what is missing.

use std::time::Duration;

use pgqueuer::{
    Call, ErrorKind, FailureReason, Job, JobState, Outcome, PgQueuer, State, WorkerBuilder, job,
};

use super::{
    super::{super::runtime_cases, Journal, Running, drain, worker},
    Noting, noted, run,
};

runtime_cases! {
    see_the_panic_of_a_handler,
    that_panic_before_the_call_fail_the_attempt,
    that_panic_after_the_call_fail_the_attempt,
    see_the_panic_of_an_executor_within,
    see_what_does_not_decode,
    are_dropped_at_the_timeout,
    are_dropped_when_the_worker_stops,
    are_refused_without_their_state,
}

#[job(executor = Noting("its own"), max_attempts = 1)]
async fn panics() {
    panic!("oh no");
}

async fn see_the_panic_of_a_handler(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, Panics {}).await;

    assert_eq!(lines, ["into its own", "out of its own: Panic"]);
    let failure = &record.failures[0];
    assert_eq!(
        (record.state, failure.reason),
        (JobState::Held, FailureReason::Panic)
    );
    assert!(failure.message.ends_with("oh no"), "{}", failure.message);
    assert!(failure.backtrace.is_some());
}

async fn panic_before(_: Call) -> Outcome {
    panic!("before")
}

#[job(executor = panic_before, max_attempts = 1)]
async fn panicked_before(journal: State<Journal>) {
    journal.note("handler");
}

async fn that_panic_before_the_call_fail_the_attempt(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, PanickedBefore {}).await;

    let failure = &record.failures[0];
    assert_eq!((failure.reason, lines), (FailureReason::Panic, Vec::new()));
    assert!(failure.message.ends_with("before"), "{}", failure.message);
}

async fn panic_after(mut call: Call) -> Outcome {
    let outcome = call.run().await;
    assert!(!outcome.is_completed(), "after");
    outcome
}

#[job(executor = panic_after, max_attempts = 1)]
async fn panicked_after(journal: State<Journal>) {
    journal.note("handler");
}

async fn that_panic_after_the_call_fail_the_attempt(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, PanickedAfter {}).await;

    let failure = &record.failures[0];
    assert_eq!(
        (record.state, failure.reason),
        (JobState::Held, FailureReason::Panic)
    );
    assert!(failure.message.ends_with("after"), "{}", failure.message);
    assert_eq!(lines, ["handler"]);
}

async fn see_the_panic_of_an_executor_within(pgq: &PgQueuer) {
    let journal = Journal::default();
    let worker = worker(pgq, &journal).executor(Noting("outer"));
    let (record, _) = run(worker, pgq, PanickedBefore {}).await;

    assert_eq!(journal.lines(), ["into outer", "out of outer: Panic"]);
    assert_eq!(record.failures[0].reason, FailureReason::Panic);
}

/// Only text that is no number is in the queue.
mod text {
    #[pgqueuer::job(name = "executors_decoded", codec = "json")]
    pub(super) async fn decoded(number: String) {
        let _ = number;
    }
}

#[job(name = "executors_decoded", codec = "json", executor = Noting("its own"))]
async fn decoded(number: i64) {
    let _ = number;
}

async fn see_what_does_not_decode(pgq: &PgQueuer) {
    let number = "many".to_owned();
    let id = text::Decoded { number }.enqueue(pgq).await.unwrap();
    let journal = Journal::default();
    drain(worker(pgq, &journal).register::<Decoded>()).await;

    assert_eq!(
        journal.lines(),
        ["into its own", "out of its own: Undecodable"]
    );
    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.failures.len()), (JobState::Held, 1));
    assert_eq!(record.failures[0].reason, FailureReason::Undecodable);
}

/// Notes that it was dropped.
struct Dropped(State<Journal>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

async fn never_return(mut call: Call) -> Outcome {
    let journal = call.state::<Journal>().unwrap();
    let _dropped = Dropped(journal.clone());
    call.run().await;
    journal.note("waits");
    std::future::pending().await
}

#[job(executor = never_return, timeout = "20ms", max_attempts = 1)]
async fn soon_over() {}

async fn are_dropped_at_the_timeout(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, SoonOver {}).await;

    assert_eq!(lines, ["waits", "dropped"]);
    assert_eq!(record.failures[0].reason, FailureReason::Timeout);
}

#[job(executor = never_return)]
async fn never_over() {}

async fn are_dropped_when_the_worker_stops(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = NeverOver {}.enqueue(pgq).await.unwrap();
    let worker = worker(pgq, &journal).configure(|it| it.shutdown_grace = Duration::ZERO);
    let running = Running::start(worker.register::<NeverOver>());
    journal.wait_for(1).await;
    let report = running.stop().await;

    assert_eq!((report.given_back, journal.lines().len()), (1, 2));
    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn are_refused_without_their_state(pgq: &PgQueuer) {
    let built = |worker: WorkerBuilder| worker.only_registered().build();
    let of_kind = built(pgq.worker().register::<Panics>()).unwrap_err();
    assert_eq!(of_kind.kind(), ErrorKind::Config);
    let expected = "Journal> for the executor of `panics` (";
    let expected = expected.replace("Journal>", "Journal>`");
    assert!(of_kind.to_string().contains(&expected), "{of_kind}");

    let worker = pgq.worker().executor(Noting("all")).register::<NeverOver>();
    let of_worker = built(worker).unwrap_err().to_string();
    assert!(
        of_worker.contains("for an executor of the worker"),
        "{of_worker}"
    );
}
