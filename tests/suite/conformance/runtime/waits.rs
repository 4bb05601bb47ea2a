//! Waiting for results.

mod failures;

use std::{collections::BTreeSet, time::Duration};

use futures_util::StreamExt as _;
use pgqueuer::{
    BoxError, Cancel, Context, ErrorKind, Hold, Job as _, JobFilter, JobHandle, JobId, PgQueuer,
    Progress, State, Typed, WaitError, job,
};
use serde::{Deserialize, Serialize};

use sqlx::postgres::PgPoolOptions;

use super::{
    super::{postgres_only, runtime_cases},
    Journal, Running, drain, worker,
};
use crate::{
    backend::Database,
    support::{eventually, in_time},
};

runtime_cases! {
    bring_what_the_handler_returned,
    bring_nothing_of_nothing,
    bring_the_result_of_a_job_that_has_ended_before,
    wait_through_the_retries,
    give_up_in_time_and_try_again,
    wait_for_all_in_order,
    wait_for_the_first,
    yield_each_as_it_ends,
    let_many_wait_for_the_same_job,
    go_on_after_a_pause,
    show_how_far_a_job_is,
}

postgres_only! {
    in_own_database:
    end_when_the_queue_is_closed,
}

#[job]
async fn sum(a: i64, b: i64) -> Result<i64, String> {
    a.checked_add(b).ok_or_else(|| "too large".to_owned())
}

#[job]
async fn nothing() {}

#[job(backoff = "1ms", max_attempts = 5)]
async fn third_time(context: &Context) -> Result<u16, String> {
    match context.attempt() {
        3 => Ok(3),
        attempt => Err(format!("attempt {attempt}")),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Declined {
    code: u16,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "declined with {}", self.code)
    }
}

impl std::error::Error for Declined {}

#[derive(Debug)]
struct Outer(Declined);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the payment failed")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[job(max_attempts = 1)]
async fn pay(code: u16) -> Result<(), Outer> {
    Err(Outer(Declined { code }))
}

#[job(max_attempts = 1)]
async fn pay_typed(code: u16) -> Result<u8, Typed<Declined>> {
    Err(Declined { code })?
}

#[job(max_attempts = 1, timeout = "20ms")]
async fn go_wrong(how: String) -> Result<(), BoxError> {
    match how.as_str() {
        "panic" => panic!("oh no"),
        "timeout" => std::future::pending().await,
        "hold" => Err(Hold::new("ask a person").into()),
        "cancel" => Err(Cancel::new("no longer needed").into()),
        _ => Ok(()),
    }
}

#[job(max_attempts = 1, on_failure = "discard")]
async fn throw_away() -> Result<(), String> {
    Err("it was a mistake".to_owned())
}

#[job(retain = "0s")]
async fn leave_no_trace() {}

#[job]
async fn not_a_number() -> Result<f64, String> {
    Ok(f64::NAN)
}

#[job]
async fn until_cancelled(journal: State<Journal>, context: Context) {
    journal.note("began");
    context.cancelled().await;
}

#[job]
async fn say_how_far(journal: State<Journal>, context: Context) {
    context.progress(0.1, "began");
    context.progress(7.0, "a".repeat(2000));
    journal.note("said");
    context.cancelled().await;
}

/// A worker with all of these jobs.
fn all(pgq: &PgQueuer, journal: &Journal) -> pgqueuer::WorkerBuilder {
    worker(pgq, journal)
        .register::<Sum>()
        .register::<Nothing>()
        .register::<ThirdTime>()
        .register::<Pay>()
        .register::<PayTyped>()
        .register::<GoWrong>()
        .register::<ThrowAway>()
        .register::<LeaveNoTrace>()
        .register::<NotANumber>()
        .register::<UntilCancelled>()
        .register::<SayHowFar>()
}

fn start(pgq: &PgQueuer) -> Running {
    Running::start(all(pgq, &Journal::default()))
}

/// Enqueues the job, has it run, and waits for it.
async fn result_of<J: pgqueuer::Job>(pgq: &PgQueuer, job: J) -> Result<J::Output, WaitError> {
    let running = start(pgq);
    let handle = job.enqueue(pgq).await.unwrap();
    let result = in_time("the result", handle.wait()).await;
    running.stop().await;
    result
}

async fn bring_what_the_handler_returned(pgq: &PgQueuer) {
    assert_eq!(result_of(pgq, Sum { a: 1, b: 2 }).await.unwrap(), 3);
}

async fn bring_nothing_of_nothing(pgq: &PgQueuer) {
    result_of(pgq, Nothing {}).await.unwrap();
}

async fn bring_the_result_of_a_job_that_has_ended_before(pgq: &PgQueuer) {
    let sum = Sum { a: 1, b: 2 }.enqueue(pgq).await.unwrap();
    let nothing = Nothing {}.enqueue(pgq).await.unwrap();
    drain(all(pgq, &Journal::default())).await;
    // As another process does.
    let sum = JobHandle::<Sum>::of(pgq, sum.id());
    assert_eq!(in_time("the result", sum.wait()).await.unwrap(), 3);
    in_time("the end", nothing.wait()).await.unwrap();
    assert_eq!(sum.record().await.unwrap().unwrap().result.unwrap(), "3");
}

async fn wait_through_the_retries(pgq: &PgQueuer) {
    assert_eq!(result_of(pgq, ThirdTime {}).await.unwrap(), 3);
}

async fn give_up_in_time_and_try_again(pgq: &PgQueuer) {
    let handle = Sum { a: 1, b: 2 }.enqueue(pgq).await.unwrap();
    let limit = Duration::from_millis(30);
    let error = handle.wait_for(limit).await.unwrap_err();
    assert!(matches!(error, WaitError::TimedOut { .. }), "{error:?}");
    assert_eq!(pgqueuer::Error::from(error).kind(), ErrorKind::TimedOut);
    let error = handle.wait_for("a while").await.unwrap_err();
    assert!(error.to_string().contains("not a duration"), "{error}");

    drain(all(pgq, &Journal::default())).await;
    assert_eq!(handle.wait_for("1m").await.unwrap(), 3);
}

async fn sums(pgq: &PgQueuer) -> Vec<JobHandle<Sum>> {
    let jobs = (0..200).map(|a| Sum { a, b: 1000 });
    Sum::enqueue_many(pgq, jobs).await.unwrap()
}

async fn wait_for_all_in_order(pgq: &PgQueuer) {
    let running = start(pgq);
    let handles = sums(pgq).await;
    let results = in_time("all results", JobHandle::wait_all(&handles)).await;
    let results: Vec<i64> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results, (1000..1200).collect::<Vec<_>>());
    running.stop().await;
}

async fn wait_for_the_first(pgq: &PgQueuer) {
    let running = start(pgq);
    let later = Sum { a: 1, b: 1 }
        .options()
        .delay("1h")
        .enqueue(pgq)
        .await
        .unwrap();
    let now = Sum { a: 2, b: 2 }.enqueue(pgq).await.unwrap();
    let handles = [later, now];
    let (id, first) = in_time("the first", JobHandle::wait_first(&handles))
        .await
        .unwrap();
    assert_eq!((id, first.unwrap()), (handles[1].id(), 4));
    let error = JobHandle::<Sum>::wait_first(&[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    running.stop().await;
}

async fn yield_each_as_it_ends(pgq: &PgQueuer) {
    let running = start(pgq);
    let handles = sums(pgq).await;
    let ids: BTreeSet<JobId> = handles.iter().map(JobHandle::id).collect();
    let each = JobHandle::wait_each(&handles).map(|(id, result)| (id, result.unwrap()));
    let each: Vec<(JobId, i64)> = in_time("each", each.collect()).await;
    assert_eq!(each.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), ids);
    assert_eq!(
        each.iter().map(|(_, sum)| sum).sum::<i64>(),
        (1000..1200).sum::<i64>()
    );
    running.stop().await;
}

async fn let_many_wait_for_the_same_job(pgq: &PgQueuer) {
    let handle = Sum { a: 1, b: 2 }.enqueue(pgq).await.unwrap();
    let waiting: Vec<_> = (0..50).map(|_| tokio::spawn(handle.wait())).collect();
    let running = start(pgq);
    for waited in waiting {
        assert_eq!(in_time("the result", waited).await.unwrap().unwrap(), 3);
    }
    running.stop().await;
}

/// The second wait finds the task idle.
async fn go_on_after_a_pause(pgq: &PgQueuer) {
    let running = start(pgq);
    for number in 0..20 {
        let handle = Sum { a: number, b: 1 }.enqueue(pgq).await.unwrap();
        let result = in_time("the result", handle.wait()).await;
        assert_eq!(result.unwrap(), number + 1);
        tokio::time::sleep(Duration::from_millis(number.unsigned_abs())).await;
    }
    running.stop().await;
}

async fn end_when_the_queue_is_closed(database: &Database) {
    let pool = PgPoolOptions::new().connect_lazy_with(database.options.clone());
    let pgq = &PgQueuer::new(pool);
    let handle = Sum { a: 1, b: 2 }.enqueue(pgq).await.unwrap();
    let waited = tokio::spawn(handle.wait());
    tokio::time::sleep(Duration::from_millis(50)).await;
    pgq.close().await;
    let error = in_time("the end", waited).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}

async fn show_how_far_a_job_is(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(all(pgq, &journal));
    let handle = SayHowFar {}.enqueue(pgq).await.unwrap();
    assert_eq!(handle.progress().await.unwrap(), None);
    journal.wait_for(1).await;
    let Progress { fraction, note, .. } =
        eventually("how far it is", async || handle.progress().await.unwrap()).await;
    // The last word, within its bounds.
    assert_eq!((fraction, note.len()), (1.0, 1024));
    pgq.cancel(&JobFilter::ids([&handle]), "").await.unwrap();
    in_time("the end", handle.wait()).await.unwrap_err();
    assert_eq!(handle.progress().await.unwrap(), None);
    running.stop().await;
}
