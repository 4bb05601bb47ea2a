//! Who is told what happens, and harms nobody.

mod elsewhere;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pgqueuer::{
    BoxError, Cancel, Ended, Event, FailureReason, Hook, Job, JobState, PgQueuer, Report, Snooze,
    State, Tx, async_trait, job,
};

use super::{
    super::{postgres_only, runtime_cases},
    Journal, Running, drain, worker,
};
use crate::backend::Database;

runtime_cases! {
    are_told_of_a_job_in_order,
    are_told_how_attempts_end,
    are_told_of_what_is_held,
    are_told_of_what_is_given_back,
    are_told_of_jobs_that_are_new,
    are_told_what_their_handle_does,
    are_told_what_their_worker_does,
    that_fail_harm_nothing,
    that_hang_harm_nothing,
}

postgres_only! {
    in_own_database:
    are_told_of_jobs_in_a_transaction,
    are_told_of_jobs_that_end_in_their_transaction,
}

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Event>>>);

impl Notes {
    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// What was told of jobs, and not of workers.
    fn of_jobs(&self) -> Vec<Event> {
        let is_of_job = |it: &Event| {
            !matches!(
                it,
                Event::WorkerStarted { .. } | Event::WorkerStopped { .. }
            )
        };
        self.take().into_iter().filter(is_of_job).collect()
    }
}

#[async_trait]
impl Hook for Notes {
    async fn on(&self, event: &Event) -> Result<(), BoxError> {
        // Others have a turn, and must not overtake.
        tokio::task::yield_now().await;
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

fn with_notes(pgq: &PgQueuer) -> (PgQueuer, Notes) {
    let notes = Notes::default();
    (pgq.with_hook(notes.clone()), notes)
}

async fn run<J: Job>(pgq: &PgQueuer) -> Report {
    drain(worker(pgq, &Journal::default()).register::<J>()).await
}

/// Runs one job; what was told of it.
async fn told_of<J: Job>(pgq: &PgQueuer, job: J) -> Vec<Event> {
    let (pgq, notes) = with_notes(pgq);
    job.enqueue(&pgq).await.unwrap();
    run::<J>(&pgq).await;
    notes.of_jobs()
}

#[job]
async fn hooked() {}

async fn are_told_of_a_job_in_order(pgq: &PgQueuer) {
    let (pgq, notes) = with_notes(pgq);
    let id = Hooked {}.enqueue(&pgq).await.unwrap().id();
    let report = run::<Hooked>(&pgq).await;

    let events = notes.take();
    let [enqueued, begun, started, ended, stopped] = &events[..] else {
        panic!("{events:#?}");
    };
    let (kind, attempt) = ("hooked".to_owned(), 1);
    assert_eq!(
        *enqueued,
        Event::Enqueued {
            id,
            kind: kind.clone()
        }
    );
    assert!(matches!(begun, Event::WorkerStarted { .. }), "{begun:?}");
    assert_eq!(
        *started,
        Event::Started {
            id,
            kind: kind.clone(),
            attempt
        }
    );
    let Event::Ended { ran, .. } = ended else {
        panic!("{ended:?}");
    };
    let (how, failure, ran) = (Ended::Completed, None, *ran);
    assert_eq!(
        *ended,
        Event::Ended {
            id,
            kind,
            attempt,
            how,
            failure,
            ran
        }
    );
    let Event::WorkerStopped { report: told, .. } = stopped else {
        panic!("{stopped:?}");
    };
    assert_eq!(*told, report);
}

#[job(on_failure = "discard", max_attempts = 2, backoff = "1h")]
async fn ends(how: String) -> Result<(), BoxError> {
    match how.as_str() {
        "fail" => Err("no".into()),
        "snooze" => Err(Snooze::after(Duration::from_secs(3600)).into()),
        "cancel" => Err(Cancel::new("over").into()),
        "panic" => panic!("oh no"),
        _ => Ok(()),
    }
}

#[job(on_failure = "discard", max_attempts = 1)]
async fn ends_at_once() -> Result<(), &'static str> {
    Err("no")
}

async fn are_told_how_attempts_end(pgq: &PgQueuer) {
    for (how, expected, reason) in [
        ("complete", Ended::Completed, None),
        ("fail", Ended::Retried, Some(FailureReason::Error)),
        ("panic", Ended::Retried, Some(FailureReason::Panic)),
        ("snooze", Ended::Snoozed, None),
        ("cancel", Ended::Cancelled, Some(FailureReason::Error)),
    ] {
        let how = how.to_owned();
        let events = told_of(pgq, Ends { how }).await;
        let [_, _, Event::Ended { how, failure, .. }] = &events[..] else {
            panic!("{events:#?}");
        };
        assert_eq!(
            (*how, failure.as_ref().map(|it| it.reason)),
            (expected, reason)
        );
    }
    let events = told_of(pgq, EndsAtOnce {}).await;
    let [_, _, Event::Ended { how, attempt, .. }] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!((*how, *attempt), (Ended::Discarded, 1));
}

#[job(max_attempts = 1)]
async fn hold() -> Result<(), &'static str> {
    Err("it does not work")
}

async fn are_told_of_what_is_held(pgq: &PgQueuer) {
    let events = told_of(pgq, Hold {}).await;

    let [
        _,
        _,
        Event::Held {
            kind,
            attempt,
            failure,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:#?}");
    };
    assert_eq!((kind.as_str(), *attempt), ("hold", 1));
    assert_eq!(failure.message, "it does not work");
}

#[job]
async fn waits(journal: State<Journal>) {
    journal.note("waits");
    std::future::pending::<()>().await;
}

async fn are_told_of_what_is_given_back(pgq: &PgQueuer) {
    let (pgq, notes) = with_notes(pgq);
    let journal = Journal::default();
    Waits {}.enqueue(&pgq).await.unwrap();
    let worker = worker(&pgq, &journal).configure(|it| it.shutdown_grace = Duration::ZERO);
    let running = Running::start(worker.register::<Waits>());
    journal.wait_for(1).await;
    running.stop().await;

    let events = notes.of_jobs();
    let [_, Event::Started { .. }, Event::Ended { how, .. }] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(*how, Ended::GivenBack);
}

#[job(unique)]
async fn only_once(user: i64) {
    let _ = user;
}

async fn are_told_of_jobs_that_are_new(pgq: &PgQueuer) {
    let (pgq, notes) = with_notes(pgq);
    OnlyOnce { user: 1 }.enqueue(&pgq).await.unwrap();
    OnlyOnce { user: 1 }.enqueue(&pgq).await.unwrap();
    let two = [1, 2].map(|user| OnlyOnce { user });
    let ids = OnlyOnce::enqueue_many(&pgq, two).await.unwrap();
    run::<OnlyOnce>(&pgq).await;

    let is_enqueued = |it: &Event| matches!(it, Event::Enqueued { .. });
    let told: Vec<Event> = notes.take().into_iter().filter(is_enqueued).collect();
    let kind = "only_once".to_owned();
    let expected = ids
        .iter()
        .map(pgqueuer::JobHandle::id)
        .map(|id| Event::Enqueued {
            id,
            kind: kind.clone(),
        });
    assert_eq!(told, expected.collect::<Vec<_>>());
}

async fn are_told_what_their_handle_does(pgq: &PgQueuer) {
    let (first, first_notes) = with_notes(pgq);
    let (second, second_notes) = with_notes(&first);
    Hooked {}.enqueue(pgq).await.unwrap();
    run::<Hooked>(pgq).await;
    assert_eq!((first_notes.take(), second_notes.take()), (vec![], vec![]));

    Hooked {}.enqueue(&second).await.unwrap();
    run::<Hooked>(&first).await;
    assert_eq!(
        (first_notes.of_jobs().len(), second_notes.of_jobs().len()),
        (3, 1)
    );
}

#[job]
async fn enqueues(pgq: State<PgQueuer>) -> pgqueuer::Result<()> {
    Hooked {}.options().delay("1h").enqueue(&*pgq).await?;
    Ok(())
}

async fn are_told_what_their_worker_does(pgq: &PgQueuer) {
    let notes = Notes::default();
    Enqueues {}.enqueue(pgq).await.unwrap();
    let worker = worker(pgq, &Journal::default()).hook(notes.clone());
    drain(worker.register::<Enqueues>()).await;

    let events = notes.of_jobs();
    let [
        Event::Started { .. },
        Event::Enqueued { kind, .. },
        Event::Ended { .. },
    ] = &events[..]
    else {
        panic!("{events:#?}");
    };
    assert_eq!(kind, "hooked");
}

async fn fail(event: Event) -> Result<(), BoxError> {
    match event {
        Event::Started { .. } => panic!("in a hook"),
        Event::WorkerStopped { .. } => Ok(()),
        _ => Err("the metrics are away".into()),
    }
}

async fn that_fail_harm_nothing(pgq: &PgQueuer) {
    let notes = Notes::default();
    let pgq = pgq.with_hook(fail).with_hook(notes.clone());
    let id = Hooked {}.enqueue(&pgq).await.unwrap();
    let report = run::<Hooked>(&pgq).await;

    assert_eq!(report.completed, 1);
    let record = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.failures),
        (JobState::Completed, vec![])
    );
    assert_eq!(notes.take().len(), 5);
}

async fn that_hang_harm_nothing(pgq: &PgQueuer) {
    let notes = Notes::default();
    let hang = |_: Event| std::future::pending();
    let pgq = pgq.with_hook(hang).with_hook(notes.clone());
    Hooked {}.enqueue(&pgq).await.unwrap();
    let began = Instant::now();
    let report = run::<Hooked>(&pgq).await;

    // The worker waits for them, but not for ever.
    assert!(began.elapsed() < Duration::from_secs(25));
    assert_eq!((report.completed, notes.take().len()), (1, 5));
}

async fn are_told_of_jobs_in_a_transaction(database: &Database) {
    let (pgq, notes) = with_notes(&database.pgq);
    let mut transaction = database.application().begin().await.unwrap();
    let id = Hooked {}
        .enqueue(pgq.on(&mut transaction))
        .await
        .unwrap()
        .id();
    let unique = OnlyOnce { user: 1 };
    unique.enqueue(pgq.on(&mut transaction)).await.unwrap();
    transaction.commit().await.unwrap();
    run::<Hooked>(&pgq).await;

    let kind = "hooked".to_owned();
    let events = notes.take();
    assert_eq!(events[0], Event::Enqueued { id, kind });
    assert!(matches!(&events[1], Event::Enqueued { kind, .. } if kind == "only_once"));
}

#[job]
async fn in_transaction(tx: Tx) {
    drop(tx);
}

async fn are_told_of_jobs_that_end_in_their_transaction(database: &Database) {
    let events = told_of(&database.pgq, InTransaction {}).await;

    let [_, _, Event::Ended { how, .. }] = &events[..] else {
        panic!("{events:#?}");
    };
    assert_eq!(*how, Ended::Completed);
}
