//! What handlers may return, and what becomes of their jobs.

use std::{error::Error as StdError, fmt, time::Duration};

use pgqueuer::{
    Cancel, Context, Hold, Job, PgQueuer, Report, Retry, Snooze, job,
    store::{FailureReason, JobRecord, JobState},
};

use super::{super::runtime_cases, Journal, drain, worker};

runtime_cases! {
    of_nothing_is_completed,
    of_a_value_is_completed,
    of_a_message_is_a_failure,
    of_an_owned_message_is_a_failure,
    of_an_error_keeps_its_sources,
    of_a_very_long_error_is_cut,
    of_an_error_with_nul_is_kept,
    may_ask_for_a_retry_of_their_own,
    may_ask_for_a_retry_until_the_attempts_are_used_up,
    may_snooze_at_no_attempt,
    may_snooze_for_no_time,
    may_hold,
    may_cancel,
    may_ask_from_within_another_error,
    may_ask_for_absurd_waits,
}

/// Runs one job; what is known of it then, and the report.
async fn outcome_of<J: Job>(pgq: &PgQueuer, job: J) -> (JobRecord, Report) {
    let id = job.enqueue(pgq).await.unwrap();
    let report = drain(worker(pgq, &Journal::default()).register::<J>()).await;
    (pgq.get_job(id).await.unwrap().unwrap(), report)
}

/// An error of the user's, which wraps another.
#[derive(Debug)]
struct Wrapped(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not deliver")
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

fn wrapped(inner: impl Into<Box<dyn StdError + Send + Sync>>) -> Wrapped {
    Wrapped(Box::new(Wrapped(inner.into())))
}

#[job]
async fn returns_nothing() {}

async fn of_nothing_is_completed(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, ReturnsNothing {}).await;

    assert_eq!((record.state, report.completed), (JobState::Completed, 1));
    assert_eq!(record.failures, []);
}

#[job]
async fn returns_a_value() -> Result<Vec<u8>, std::io::Error> {
    Ok(vec![1, 2, 3])
}

async fn of_a_value_is_completed(pgq: &PgQueuer) {
    let (record, _) = outcome_of(pgq, ReturnsAValue {}).await;

    assert_eq!(record.state, JobState::Completed);
}

#[job]
async fn fails_with_str() -> Result<(), &'static str> {
    Err("no such user")
}

async fn of_a_message_is_a_failure(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, FailsWithStr {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 1));
    assert_eq!(report.retried, 1);
    let failure = &record.failures[0];
    assert_eq!((failure.attempt, failure.reason), (1, FailureReason::Error));
    assert_eq!(
        (failure.message.as_str(), &failure.backtrace),
        ("no such user", &None)
    );
}

#[job]
async fn fails_with_string(who: String) -> Result<(), String> {
    Err(format!("no such user: {who}"))
}

async fn of_an_owned_message_is_a_failure(pgq: &PgQueuer) {
    let (record, _) = outcome_of(
        pgq,
        FailsWithString {
            who: "Ægir".into()
        },
    )
    .await;

    assert_eq!(record.failures[0].message, "no such user: Ægir");
}

#[job]
async fn fails_with_sources() -> Result<(), Wrapped> {
    Err(wrapped("connection refused"))
}

async fn of_an_error_keeps_its_sources(pgq: &PgQueuer) {
    let (record, _) = outcome_of(pgq, FailsWithSources {}).await;

    let message = "could not deliver: could not deliver: connection refused";
    assert_eq!(record.failures[0].message, message);
}

#[job]
async fn fails_at_length() -> Result<(), String> {
    Err("ü".repeat(1024 * 1024))
}

async fn of_a_very_long_error_is_cut(pgq: &PgQueuer) {
    let (record, _) = outcome_of(pgq, FailsAtLength {}).await;

    let message = &record.failures[0].message;
    assert!(message.starts_with("üü") && message.len() < 10_000);
}

#[job]
async fn fails_with_nul() -> Result<(), &'static str> {
    Err("before\0after")
}

async fn of_an_error_with_nul_is_kept(pgq: &PgQueuer) {
    let (record, _) = outcome_of(pgq, FailsWithNul {}).await;

    let message = &record.failures[0].message;
    assert!(message.starts_with("before") && message.ends_with("after"));
}

#[job]
async fn told_to_slow_down() -> Result<(), Retry> {
    Err(Retry::after(Duration::from_secs(3600)).because("too many requests"))
}

async fn may_ask_for_a_retry_of_their_own(pgq: &PgQueuer) {
    let before = pgq.now().await.unwrap();

    let (record, report) = outcome_of(pgq, ToldToSlowDown {}).await;

    let wait = record.run_at.unwrap() - before;
    assert_eq!(
        (record.state, record.attempt, report.retried),
        (JobState::Scheduled, 1, 1)
    );
    assert!((3600..3720).contains(&wait.num_seconds()), "{wait}");
    let message = &record.failures[0].message;
    assert!(message.starts_with("too many requests"), "{message}");
}

#[job(max_attempts = 3)]
async fn retries_at_once() -> Result<(), Retry> {
    Err(Retry::after(Duration::ZERO))
}

async fn may_ask_for_a_retry_until_the_attempts_are_used_up(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, RetriesAtOnce {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Held, 3));
    assert_eq!(
        (report.retried, report.held, record.failures.len()),
        (2, 1, 3)
    );
}

#[job(max_attempts = 1)]
async fn not_yet() -> Result<(), Snooze> {
    Err(Snooze::after(Duration::from_secs(3600)))
}

async fn may_snooze_at_no_attempt(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, NotYet {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 0));
    assert_eq!((report.snoozed, record.failures.len()), (1, 0));
}

#[job(max_attempts = 1)]
async fn third_time_lucky(
    journal: pgqueuer::State<Journal>,
    context: &Context,
) -> Result<(), Snooze> {
    journal.note(format!("attempt {}", context.attempt()));
    if journal.lines().len() < 3 {
        return Err(Snooze::after(Duration::ZERO));
    }
    Ok(())
}

async fn may_snooze_for_no_time(pgq: &PgQueuer) {
    let journal = Journal::default();
    ThirdTimeLucky {}.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<ThirdTimeLucky>()).await;

    assert_eq!((report.snoozed, report.completed), (2, 1));
    assert_eq!(journal.lines(), ["attempt 1"; 3]);
}

#[job]
async fn needs_a_person() -> Result<(), Hold> {
    Err(Hold::new("the address is ambiguous"))
}

async fn may_hold(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, NeedsAPerson {}).await;

    assert_eq!((record.state, report.held), (JobState::Held, 1));
    let message = &record.failures[0].message;
    assert!(message.starts_with("the address is ambiguous"), "{message}");
}

#[job]
async fn not_needed() -> Result<(), Cancel> {
    Err(Cancel::new("the order was withdrawn"))
}

async fn may_cancel(pgq: &PgQueuer) {
    let (record, report) = outcome_of(pgq, NotNeeded {}).await;

    assert_eq!((record.state, report.cancelled), (JobState::Cancelled, 1));
    let message = &record.failures[0].message;
    assert!(message.starts_with("the order was withdrawn"), "{message}");
}

#[job]
async fn asks_from_within(what: String) -> Result<(), Wrapped> {
    let hour = Duration::from_secs(3600);
    Err(match what.as_str() {
        "retry" => wrapped(Retry::after(hour)),
        "snooze" => wrapped(Snooze::after(hour)),
        "hold" => wrapped(Hold::new("")),
        _ => wrapped(Cancel::new("")),
    })
}

async fn may_ask_from_within_another_error(pgq: &PgQueuer) {
    const EXPECTED: [(&str, JobState, u16); 4] = [
        ("retry", JobState::Scheduled, 1),
        ("snooze", JobState::Scheduled, 0),
        ("hold", JobState::Held, 1),
        ("cancel", JobState::Cancelled, 1),
    ];
    let mut found = Vec::new();

    for (what, ..) in EXPECTED {
        let (record, _) = outcome_of(pgq, AsksFromWithin { what: what.into() }).await;
        found.push((what, record.state, record.attempt));
    }

    assert_eq!(found, EXPECTED);
}

#[job]
async fn waits_for_ever(retry: bool) -> Result<(), Wrapped> {
    Err(if retry {
        wrapped(Retry::after(Duration::MAX))
    } else {
        wrapped(Snooze::after(Duration::MAX))
    })
}

/// One handler that asks for nonsense must not keep the results of others from being written.
async fn may_ask_for_absurd_waits(pgq: &PgQueuer) {
    let absurd = [true, false].map(|retry| WaitsForEver { retry });
    let absurd = WaitsForEver::enqueue_many(pgq, absurd).await.unwrap();
    let others = (0..10).map(|_| ReturnsNothing {});
    ReturnsNothing::enqueue_many(pgq, others).await.unwrap();

    let worker = worker(pgq, &Journal::default());
    let worker = worker
        .register::<WaitsForEver>()
        .register::<ReturnsNothing>();
    let report = drain(worker).await;

    assert_eq!((report.completed, report.lost), (10, 0));
    for id in absurd {
        let state = pgq.get_job(id).await.unwrap().unwrap().state;
        assert!(
            matches!(state, JobState::Scheduled | JobState::Held),
            "{state}"
        );
    }
}
