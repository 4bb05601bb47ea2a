//! What a handler can know, and what it shares with others.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use pgqueuer::{Context, Inject, Job as _, PgQueuer, Requirement, State, job};

use super::{super::runtime_cases, Journal, drain, worker};

runtime_cases! {
    tells_the_job_and_the_attempt,
    tells_the_headers,
    tells_no_headers_where_there_are_none,
    tells_the_deadline,
    tells_no_deadline_where_there_is_none,
    tells_when_an_attempt_is_the_last,
    shares_one_value_with_all_handlers,
    shares_the_queue_itself,
    takes_the_last_value_of_a_type,
    takes_what_users_inject,
}

#[job(priority = 3, max_attempts = 7)]
async fn describe(context: Context, journal: State<Journal>) {
    journal.note(format!(
        "{} {} {}/{} {} {}",
        context.job_id(),
        context.kind(),
        context.attempt(),
        context.max_attempts(),
        context.priority(),
        context.enqueued_at().to_rfc3339(),
    ));
}

async fn tells_the_job_and_the_attempt(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = Describe {}.enqueue(pgq).await.unwrap().id();
    let enqueued_at = pgq.get_job(id).await.unwrap().unwrap().enqueued_at;

    drain(worker(pgq, &journal).register::<Describe>()).await;

    let expected = format!("{id} describe 1/7 3 {}", enqueued_at.to_rfc3339());
    assert_eq!(journal.lines(), [expected]);
}

#[job]
async fn read_headers(context: &Context, journal: State<Journal>) {
    journal.note(format!("{:?}", context.headers()));
    journal.note(format!("{:?}", context.header("tenant")));
    journal.note(format!("{:?}", context.header("nothing")));
}

async fn tells_the_headers(pgq: &PgQueuer) {
    let journal = Journal::default();
    let job = ReadHeaders {}.options();
    let job = job.header("tenant", "acme").header("trace", "00-ab-cd-01");
    job.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<ReadHeaders>()).await;

    let headers = BTreeMap::from([("tenant", "acme"), ("trace", "00-ab-cd-01")]);
    let expected = [
        format!("{headers:?}"),
        "Some(\"acme\")".into(),
        "None".into(),
    ];
    assert_eq!(journal.lines(), expected);
}

async fn tells_no_headers_where_there_are_none(pgq: &PgQueuer) {
    let journal = Journal::default();
    ReadHeaders {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<ReadHeaders>()).await;

    assert_eq!(journal.lines(), ["{}", "None", "None"]);
}

#[job(timeout = "1h")]
async fn has_a_deadline(context: Context, journal: State<Journal>) {
    let left = context.deadline().map(|it| it - Instant::now());
    journal.note(left.unwrap_or_default().as_secs().to_string());
    journal.note(
        context
            .time_left()
            .unwrap_or_default()
            .as_secs()
            .to_string(),
    );
}

async fn tells_the_deadline(pgq: &PgQueuer) {
    let journal = Journal::default();
    HasADeadline {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<HasADeadline>()).await;

    let lines = journal.lines();
    let seconds: Vec<u64> = lines.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(seconds.len(), 2);
    assert!(
        seconds.iter().all(|it| (3000..=3600).contains(it)),
        "{seconds:?}"
    );
}

#[job]
async fn has_no_deadline(context: Context, journal: State<Journal>) {
    journal.note(format!(
        "{:?} {:?}",
        context.deadline(),
        context.time_left()
    ));
    journal.note(context.is_cancelled().to_string());
}

async fn tells_no_deadline_where_there_is_none(pgq: &PgQueuer) {
    let journal = Journal::default();
    HasNoDeadline {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<HasNoDeadline>()).await;

    assert_eq!(journal.lines(), ["None None", "false"]);
}

#[job(max_attempts = 3, backoff = "0s")]
async fn says_if_it_is_the_last(context: Context, journal: State<Journal>) -> Result<(), String> {
    journal.note(context.is_last_attempt().to_string());
    Err("again".into())
}

async fn tells_when_an_attempt_is_the_last(pgq: &PgQueuer) {
    let journal = Journal::default();
    SaysIfItIsTheLast {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<SaysIfItIsTheLast>()).await;

    assert_eq!(journal.lines(), ["false", "false", "true"]);
}

/// Neither `Clone` nor `Debug`: handlers share the one value.
struct Counter(AtomicU32);

#[job]
async fn count(by: u32, counter: State<Counter>, journal: State<Journal>) {
    let before = counter.0.fetch_add(by, Ordering::SeqCst);
    journal.note((before + by).to_string());
}

async fn shares_one_value_with_all_handlers(pgq: &PgQueuer) {
    let journal = Journal::default();
    Count::enqueue_many(pgq, [1, 10, 100].map(|by| Count { by }))
        .await
        .unwrap();

    let worker = worker(pgq, &journal).concurrency(1);
    drain(
        worker
            .state(Counter(AtomicU32::new(1000)))
            .register::<Count>(),
    )
    .await;

    assert_eq!(journal.lines(), ["1001", "1011", "1111"]);
}

#[job]
async fn look_around(context: Context, pgq: State<PgQueuer>, journal: State<Journal>) {
    let record = pgq.get_job(context.job_id()).await.unwrap().unwrap();
    journal.note(record.state.to_string());
}

async fn shares_the_queue_itself(pgq: &PgQueuer) {
    let journal = Journal::default();
    LookAround {}.enqueue(pgq).await.unwrap();

    drain(worker(pgq, &journal).register::<LookAround>()).await;

    assert_eq!(journal.lines(), ["running"]);
}

async fn takes_the_last_value_of_a_type(pgq: &PgQueuer) {
    let journal = Journal::default();
    Count { by: 1 }.enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &journal).state(Counter(AtomicU32::new(10)));
    drain(
        worker
            .state(Counter(AtomicU32::new(20)))
            .register::<Count>(),
    )
    .await;

    assert_eq!(journal.lines(), ["21"]);
}

/// Made from what is there for every attempt.
struct Signature(String);

impl Inject for Signature {
    fn requirements() -> Vec<Requirement> {
        vec![Requirement::of::<Counter>()]
    }

    fn inject(context: &Context) -> pgqueuer::Result<Self> {
        let counter = State::<Counter>::inject(context)?;
        let count = counter.0.load(Ordering::SeqCst);
        Ok(Self(format!("{} {count}", context.kind())))
    }
}

#[job]
async fn sign(#[inject] signature: Signature, journal: State<Journal>) {
    journal.note(signature.0);
}

async fn takes_what_users_inject(pgq: &PgQueuer) {
    let journal = Journal::default();
    Sign {}.enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &journal).state(Counter(AtomicU32::new(7)));
    drain(worker.register::<Sign>()).await;

    assert_eq!(journal.lines(), ["sign 7"]);
}
