//! Cancelling what runs and what waits, and running again what is held.

use std::time::Duration;

use pgqueuer::{
    Context, ErrorKind, FailureReason, Job as _, JobFilter, JobId, PgQueuer, Requeue, State, Tx,
    job, store::JobState,
};
use sqlx::Connection as _;

use super::{
    super::{postgres_only, runtime_cases},
    Journal, Running, drain, worker,
};
use crate::{
    backend::Database,
    support::{eventually, record, state},
};

runtime_cases! {
    tell_a_handler_that_runs,
    let_a_handler_finish_up,
    end_as_cancelled_if_the_handler_succeeds_or_fails,
    do_not_run_what_was_cancelled_before,
    requeue_with_other_arguments,
    requeue_only_what_is_held_unless_told,
    refuse_what_cannot_be,
}

runtime_cases! {
    not_pooled("LISTEN"):
    tell_within_a_second,
}

postgres_only! {
    in_own_database:
    take_effect_when_the_transaction_commits,
    roll_back_the_transaction_of_a_handler,
    tell_workers_that_do_not_listen,
}

#[job]
async fn wait(journal: State<Journal>, context: Context) -> Result<(), String> {
    journal.note("began");
    context.cancellation().cancelled().await;
    journal.note("told");
    tokio::time::sleep(Duration::from_millis(5)).await;
    journal.note("finished up");
    Ok(())
}

#[job(max_attempts = 5)]
async fn fail_then(journal: State<Journal>, context: Context) -> Result<(), String> {
    journal.note("began");
    context.cancellation().cancelled().await;
    Err("it failed".to_owned())
}

#[job(max_attempts = 1)]
async fn picky(number: i32, journal: State<Journal>) -> Result<(), String> {
    journal.note(number.to_string());
    if number < 0 {
        Err("it is negative".to_owned())
    } else {
        Ok(())
    }
}

#[job]
async fn in_transaction(
    journal: State<Journal>,
    context: Context,
    mut tx: Tx,
) -> Result<(), sqlx::Error> {
    // Not prepared, since there may be a pooler.
    let insert = sqlx::query("INSERT INTO public.cancelling_notes VALUES (1)").persistent(false);
    insert.execute(&mut *tx).await?;
    journal.note("began");
    context.cancellation().cancelled().await;
    Ok(())
}

async fn until_it_is(pgq: &PgQueuer, id: JobId, expected: JobState) {
    eventually(expected.as_str(), async || {
        (state(&**pgq.store(), id).await == expected).then_some(())
    })
    .await;
}

/// Enqueues the job, and cancels it while it runs.
async fn cancel_while_it_runs(pgq: &PgQueuer, journal: &Journal, id: JobId) {
    journal.wait_for(1).await;
    let cancelled = pgq
        .cancel(&JobFilter::ids([id]), "a mistake")
        .await
        .unwrap();
    assert_eq!((cancelled.waiting, cancelled.running), (0, 1));
    until_it_is(pgq, id, JobState::Cancelled).await;
}

async fn tell_a_handler_that_runs(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<Wait>());
    let id = Wait {}.enqueue(pgq).await.unwrap().id();

    cancel_while_it_runs(pgq, &journal, id).await;
    let report = running.stop().await;

    let record = record(&**pgq.store(), id).await;
    let failure = record.failures.last().unwrap();
    assert_eq!(
        (failure.reason, failure.message.as_str()),
        (FailureReason::Cancelled, "a mistake")
    );
    assert_eq!((report.cancelled, report.completed), (1, 0));
}

async fn tell_within_a_second(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<Wait>());
    let id = Wait {}.enqueue(pgq).await.unwrap().id();
    journal.wait_for(1).await;
    let began = std::time::Instant::now();

    pgq.cancel(&JobFilter::ids([id]), "").await.unwrap();
    journal.wait_for(2).await;

    let took = began.elapsed();
    running.stop().await;
    assert!(took < Duration::from_secs(4), "{took:?}");
}

async fn let_a_handler_finish_up(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<Wait>());
    let id = Wait {}.enqueue(pgq).await.unwrap().id();

    cancel_while_it_runs(pgq, &journal, id).await;

    running.stop().await;
    assert_eq!(journal.lines(), ["began", "told", "finished up"]);
}

async fn end_as_cancelled_if_the_handler_succeeds_or_fails(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<FailThen>());
    let id = FailThen {}.enqueue(pgq).await.unwrap().id();

    cancel_while_it_runs(pgq, &journal, id).await;

    let report = running.stop().await;
    assert_eq!((report.cancelled, report.retried), (1, 0));
}

/// Its worker died after it was told, say.
async fn do_not_run_what_was_cancelled_before(pgq: &PgQueuer) {
    let journal = Journal::default();
    let store = pgq.store();
    let id = Picky { number: 1 }.enqueue(pgq).await.unwrap().id();
    let dead = crate::support::open_session(&**store).await;
    let claimed = crate::support::claim(&**store, dead, &["picky"], 1).await;
    pgq.cancel(&JobFilter::ids([id]), "a mistake")
        .await
        .unwrap();
    crate::support::expire(&**store, dead).await;
    store.rescue().await.unwrap();

    let report = drain(worker(pgq, &journal).register::<Picky>()).await;

    assert_eq!(claimed.len(), 1);
    assert_eq!((report.cancelled, journal.lines()), (1, vec![]));
    assert_eq!(state(&**store, id).await, JobState::Cancelled);
}

async fn requeue_with_other_arguments(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = Picky { number: -1 }.enqueue(pgq).await.unwrap().id();
    drain(worker(pgq, &journal).register::<Picky>()).await;
    let before = state(&**pgq.store(), id).await;
    pgq.requeue_as(id, &Picky { number: 1 }).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<Picky>()).await;

    assert_eq!((before, report.completed), (JobState::Held, 1));
    assert_eq!(journal.lines(), ["-1", "1"]);
}

async fn requeue_only_what_is_held_unless_told(pgq: &PgQueuer) {
    let journal = Journal::default();
    let held = Picky { number: -1 }.enqueue(pgq).await.unwrap().id();
    drain(worker(pgq, &journal).register::<Picky>()).await;
    let later = Picky { number: 1 }
        .options()
        .delay("1h")
        .enqueue(pgq)
        .await
        .unwrap()
        .id();

    let all = pgq
        .requeue(&JobFilter::all(), &Requeue::now())
        .await
        .unwrap();
    let states = [
        state(&**pgq.store(), held).await,
        state(&**pgq.store(), later).await,
    ];
    let one = pgq
        .requeue(&JobFilter::ids([later]), &Requeue::now())
        .await
        .unwrap();

    assert_eq!((all.requeued, one.requeued), (1, 1));
    assert_eq!(states, [JobState::Available, JobState::Scheduled]);
    assert_eq!(state(&**pgq.store(), later).await, JobState::Available);
}

async fn refuse_what_cannot_be(pgq: &PgQueuer) {
    let id = Wait {}.enqueue(pgq).await.unwrap().id();
    let picky = Picky { number: 1 };
    let nowhere = JobId::from(i64::MAX);

    let errors = [
        pgq.requeue_as(id, &picky).await.unwrap_err(),
        pgq.requeue_as(nowhere, &picky).await.unwrap_err(),
        pgq.requeue_as(id, &Wait {}).await.unwrap_err(),
        pgq.cancel(&JobFilter::all(), "\0").await.unwrap_err(),
        pgq.list_jobs(&JobFilter::all(), None, 0).await.unwrap_err(),
    ];

    let kinds = errors.each_ref().map(pgqueuer::Error::kind);
    let (config, missing) = (ErrorKind::Config, ErrorKind::NotFound);
    assert_eq!(kinds, [config, missing, missing, config, config]);
    assert_eq!(
        errors[0].to_string(),
        format!("job {id} is of kind `wait`, not `picky`")
    );
    assert_eq!(state(&**pgq.store(), id).await, JobState::Available);
}

async fn take_effect_when_the_transaction_commits(database: &Database) {
    let pgq = &database.pgq;
    let journal = Journal::default();
    let held = Picky { number: -1 }.enqueue(pgq).await.unwrap().id();
    drain(worker(pgq, &journal).register::<Picky>()).await;
    let waiting = Picky { number: 1 }.enqueue(pgq).await.unwrap().id();
    let mut connection = database.application().acquire().await.unwrap();
    let filter = JobFilter::ids([waiting]);

    let mut transaction = connection.begin().await.unwrap();
    let undone = pgq.on(&mut transaction).cancel(&filter, "").await.unwrap();
    transaction.rollback().await.unwrap();
    let after_rollback = state(database.store(), waiting).await;
    let mut transaction = connection.begin().await.unwrap();
    let done = pgq.on(&mut transaction).cancel(&filter, "").await.unwrap();
    let requeued = pgq
        .on(&mut transaction)
        .requeue(&JobFilter::all(), &Requeue::now())
        .await
        .unwrap();
    let meanwhile = [
        state(database.store(), waiting).await,
        state(database.store(), held).await,
    ];
    transaction.commit().await.unwrap();

    assert_eq!((undone.waiting, done.waiting, requeued.requeued), (1, 1, 1));
    assert_eq!(after_rollback, JobState::Available);
    assert_eq!(meanwhile, [JobState::Available, JobState::Held]);
    let after = [
        state(database.store(), waiting).await,
        state(database.store(), held).await,
    ];
    assert_eq!(after, [JobState::Cancelled, JobState::Available]);
}

async fn roll_back_the_transaction_of_a_handler(database: &Database) {
    let pgq = &database.pgq;
    let create = database.sql("CREATE TABLE public.cancelling_notes (number integer)");
    sqlx::raw_sql(create)
        .execute(database.pool())
        .await
        .unwrap();
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<InTransaction>());
    let id = InTransaction {}.enqueue(pgq).await.unwrap().id();

    cancel_while_it_runs(pgq, &journal, id).await;
    running.stop().await;

    let count = database.sql("SELECT count(*) FROM public.cancelling_notes");
    let count: i64 = sqlx::query_scalar(count)
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(count, 0);
}

async fn tell_workers_that_do_not_listen(database: &Database) {
    let pgq = &database.pgq;
    let journal = Journal::default();
    let deaf = worker(pgq, &journal).configure(|config| config.listen = false);
    let running = Running::start(deaf.register::<Wait>());
    let id = Wait {}.enqueue(pgq).await.unwrap().id();

    cancel_while_it_runs(pgq, &journal, id).await;

    running.stop().await;
    assert_eq!(journal.lines(), ["began", "told", "finished up"]);
}
