//! What is done around handlers, and instead of them.

mod faults;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use pgqueuer::{
    Call, ErrorKind, Executor, Job, Outcome, PgQueuer, Report, Requirement, Returned, State,
    WorkerBuilder, async_trait, job,
    store::{JobRecord, JobState},
};

use super::{super::runtime_cases, Journal, drain, worker};

runtime_cases! {
    are_around_the_handler_in_order,
    may_refuse_to_call,
    may_complete_without_a_call,
    may_call_twice_within_an_attempt,
    may_turn_a_failure_into_success,
    may_turn_success_into_a_failure,
    see_the_arguments,
    are_made_once_for_a_worker,
    are_of_aliases_too,
    make_results,
    that_make_no_result_say_so_to_those_who_wait,
}

/// Notes when a call goes in and out.
struct Noting(&'static str);

#[async_trait]
impl Executor for Noting {
    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::of::<Journal>()]
    }

    async fn execute(&self, mut call: Call) -> Outcome {
        let journal = call.state::<Journal>().unwrap();
        journal.note(format!("into {}", self.0));
        let outcome = call.run().await;
        let word = match &outcome {
            Outcome::Completed(_) => "completed".to_owned(),
            other => format!("{:?}", other.cause().expect("there is one").reason()),
        };
        journal.note(format!("out of {}: {word}", self.0));
        outcome
    }
}

/// Runs one job once; what is known of it then, and the report.
async fn run<J: Job>(worker: WorkerBuilder, pgq: &PgQueuer, job: J) -> (JobRecord, Report) {
    let id = job.enqueue(pgq).await.unwrap();
    let report = drain(worker.register::<J>()).await;
    (pgq.get_job(id).await.unwrap().unwrap(), report)
}

/// Runs one job once; what is known of it then, and what was noted.
async fn noted<J: Job>(pgq: &PgQueuer, job: J) -> (JobRecord, Vec<String>) {
    let journal = Journal::default();
    let (record, _) = run(worker(pgq, &journal), pgq, job).await;
    (record, journal.lines())
}

#[job(name = "executors_plain")]
async fn plain(journal: State<Journal>) {
    journal.note("handler");
}

#[job(executor = Noting("its own"))]
async fn wrapped(journal: State<Journal>) {
    journal.note("handler");
}

async fn are_around_the_handler_in_order(pgq: &PgQueuer) {
    let journal = Journal::default();
    let worker = worker(pgq, &journal)
        .executor(Noting("first"))
        .executor(Noting("second"))
        .register::<Plain>();
    Plain {}.enqueue(pgq).await.unwrap();
    let (record, report) = run(worker, pgq, Wrapped {}).await;

    assert_eq!((record.state, report.completed), (JobState::Completed, 2));
    let lines = journal.lines();
    let of_plain = ["into first", "into second", "handler"];
    let of_wrapped = ["into first", "into second", "into its own", "handler"];
    for line in of_plain.iter().chain(&of_wrapped[2..3]) {
        assert!(lines.contains(&(*line).to_owned()), "{line} in {lines:?}");
    }
    let (_, alone) = noted(pgq, Wrapped {}).await;
    let expected = ["into its own", "handler", "out of its own: completed"];
    assert_eq!(alone, expected);
}

async fn refuse(_: Call) -> Outcome {
    Outcome::Held("not today".into())
}

#[job(executor = refuse)]
async fn refused(journal: State<Journal>) {
    journal.note("handler");
}

async fn may_refuse_to_call(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, Refused {}).await;

    assert_eq!((record.state, lines), (JobState::Held, Vec::new()));
    assert_eq!(record.failures[0].message, "not today");
}

#[job(executor = |_: Call| async { Outcome::done() })]
async fn skipped(journal: State<Journal>) {
    journal.note("handler");
}

async fn may_complete_without_a_call(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, Skipped {}).await;

    assert_eq!((record.state, lines), (JobState::Completed, Vec::new()));
}

/// Calls until it is done, at most three times.
async fn persist(mut call: Call) -> Outcome {
    let mut outcome = call.run().await;
    for _ in 1..3 {
        if outcome.is_completed() {
            break;
        }
        outcome = call.run().await;
    }
    outcome
}

#[job(executor = persist)]
async fn fails_at_first(
    journal: State<Journal>,
    context: &pgqueuer::Context,
) -> Result<(), String> {
    journal.note(format!("attempt {}", context.attempt()));
    match journal.lines().len() {
        1 => Err("not yet".to_owned()),
        _ => Ok(()),
    }
}

async fn may_call_twice_within_an_attempt(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, FailsAtFirst {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Completed, 1));
    assert_eq!(lines, ["attempt 1", "attempt 1"]);
    assert_eq!(record.failures, []);
}

async fn forgive(mut call: Call) -> Outcome {
    call.run().await;
    Outcome::done()
}

#[job(executor = forgive)]
async fn forgiven() -> Result<(), String> {
    Err("that did not work".to_owned())
}

async fn may_turn_a_failure_into_success(pgq: &PgQueuer) {
    let (record, _) = noted(pgq, Forgiven {}).await;

    assert_eq!(
        (record.state, record.failures),
        (JobState::Completed, vec![])
    );
}

async fn find_fault(mut call: Call) -> Outcome {
    let outcome = call.run().await;
    assert!(outcome.is_completed());
    Outcome::Failed("not good enough".into())
}

#[job(executor = find_fault)]
async fn faulted() {}

async fn may_turn_success_into_a_failure(pgq: &PgQueuer) {
    let (record, _) = noted(pgq, Faulted {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 1));
    assert_eq!(record.failures[0].message, "not good enough");
}

async fn look_at_arguments(mut call: Call) -> Outcome {
    let journal = call.state::<Journal>().unwrap();
    let Ok(job) = call.job::<LookedAt>() else {
        let problem = call.job::<Plain>().unwrap_err();
        return Outcome::Held(problem.to_string().into());
    };
    let arguments = call.arguments().unwrap();
    journal.note(format!("{} {arguments} {}", call.kind(), job.user));
    assert_eq!(call.job::<Plain>().unwrap_err().kind(), ErrorKind::Payload);
    call.run().await
}

#[job(executor = look_at_arguments)]
async fn looked_at(user: i64) {
    let _ = user;
}

async fn see_the_arguments(pgq: &PgQueuer) {
    let (record, lines) = noted(pgq, LookedAt { user: 42 }).await;

    assert_eq!(lines, [r#"looked_at {"user":42} 42"#]);
    assert_eq!(record.state, JobState::Completed);
}

static MADE: AtomicU32 = AtomicU32::new(0);

fn counted() -> Noting {
    MADE.fetch_add(1, SeqCst);
    Noting("its own")
}

#[job(name = "counted", executor = counted())]
async fn counted_job() {}

async fn are_made_once_for_a_worker(pgq: &PgQueuer) {
    // The other store has its turn at the same time.
    let journal = Journal::default();
    CountedJob::enqueue_many(pgq, [CountedJob {}, CountedJob {}, CountedJob {}])
        .await
        .unwrap();
    let before = MADE.load(SeqCst);
    let (_, report) = run(worker(pgq, &journal), pgq, CountedJob {}).await;

    assert_eq!(report.completed, 4);
    let made = MADE.load(SeqCst) - before;
    assert!((1..=2).contains(&made), "{made} times");
}

mod former {
    #[pgqueuer::job(name = "executors_old_name")]
    pub(super) async fn renamed() {}
}

#[job(aliases = ["executors_old_name"], executor = refuse)]
async fn renamed() {}

async fn are_of_aliases_too(pgq: &PgQueuer) {
    let id = former::Renamed {}.enqueue(pgq).await.unwrap();
    drain(worker(pgq, &Journal::default()).register::<Renamed>()).await;

    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Held);
}

async fn know_the_answer(call: Call) -> Outcome {
    match call.job::<Asked>().unwrap().is_known {
        true => Outcome::Completed(Returned::of(&42_u64)),
        false => Outcome::done(),
    }
}

#[job(executor = know_the_answer)]
async fn asked(is_known: bool) -> Result<u64, String> {
    Err(format!("not called, with {is_known}"))
}

async fn make_results(pgq: &PgQueuer) {
    let job = Asked { is_known: true }.enqueue(pgq).await.unwrap();
    drain(worker(pgq, &Journal::default()).register::<Asked>()).await;

    assert_eq!(job.wait().await.unwrap(), 42);
}

async fn that_make_no_result_say_so_to_those_who_wait(pgq: &PgQueuer) {
    let job = Asked { is_known: false }.enqueue(pgq).await.unwrap();
    drain(worker(pgq, &Journal::default()).register::<Asked>()).await;

    let record = pgq.get_job(job.id()).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Completed);
    let problem = job.wait().await.unwrap_err().to_string();
    assert!(problem.contains("not a `u64`"), "{problem}");
}
