//! Limits and pauses, as workers keep to them.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use pgqueuer::{
    ErrorKind, Job, JobHandle, Limits, PgQueuer, Scope, SetLimit, State, job, store::JobState,
};

use super::{super::runtime_cases, Journal, Running, drain, worker};
use crate::support::{eventually, state};

runtime_cases! {
    hold_for_several_workers_together,
    hold_for_each_key,
    of_a_queue_come_with_its_workers,
    let_a_drain_run_all_that_they_hold_back,
    are_published_with_the_kind,
    can_be_set_while_workers_run,
    of_an_alias_are_those_of_its_kind,
    that_cannot_be_are_refused,
    pause_and_resume_a_kind_while_workers_run,
    end_a_drain_that_has_nothing_but_what_is_paused,
}

/// How many run now, and the most that ever did.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

type Shared = std::sync::Arc<Gauge>;

impl Gauge {
    async fn linger(&self) {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.now.fetch_sub(1, SeqCst);
    }
}

#[job(concurrency = 3)]
async fn narrow(gauge: State<Shared>) {
    gauge.linger().await;
}

#[job(concurrency(limit = 1, by = customer))]
async fn of_customer(customer: u8, number: u32, journal: State<Journal>) {
    journal.note(format!("{customer} {number}"));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[job(queue = "office")]
async fn in_office(gauge: State<Shared>) {
    gauge.linger().await;
}

/// 20 ms each.
#[job(rate = "50/s burst 1")]
async fn paced(journal: State<Journal>) {
    journal.note("ran");
}

#[job(aliases = ["old_note"], name = "limits_note")]
async fn note(number: u32, journal: State<Journal>) {
    journal.note(number.to_string());
}

fn kind(name: &str) -> Scope {
    Scope::Kind(name.to_owned())
}

/// Two workers, until all of these jobs are through.
async fn run_all<J: Job>(
    pgq: &PgQueuer,
    handles: &[JobHandle<J>],
    build: impl Fn() -> pgqueuer::WorkerBuilder,
) {
    let workers = [Running::start(build()), Running::start(build())];
    for handle in handles {
        eventually("the end of the job", async || {
            (state(&**pgq.store(), handle).await == JobState::Completed).then_some(())
        })
        .await;
    }
    for worker in workers {
        worker.stop().await;
    }
}

async fn hold_for_several_workers_together(pgq: &PgQueuer) {
    let gauge = Shared::default();
    let ids = Narrow::enqueue_many(pgq, (0..100).map(|_| Narrow {}))
        .await
        .unwrap();

    run_all(pgq, &ids, || {
        worker(pgq, &Journal::default())
            .state(Shared::clone(&gauge))
            .register::<Narrow>()
    })
    .await;

    assert_eq!(gauge.most.load(SeqCst), 3);
}

async fn hold_for_each_key(pgq: &PgQueuer) {
    let journal = Journal::default();
    let jobs = (0..60).map(|number| OfCustomer {
        customer: u8::try_from(number % 3).unwrap(),
        number,
    });
    let ids = OfCustomer::enqueue_many(pgq, jobs).await.unwrap();

    run_all(pgq, &ids, || worker(pgq, &journal).register::<OfCustomer>()).await;

    // One at a time, and so in order.
    for customer in ["0 ", "1 ", "2 "] {
        let of_customer = |line: &String| line.starts_with(customer);
        let ran: Vec<String> = journal.lines().into_iter().filter(of_customer).collect();
        let number = |line: &String| line[2..].parse::<u32>().unwrap();
        assert_eq!(ran.len(), 20);
        assert!(ran.is_sorted_by_key(number), "{ran:?}");
    }
}

async fn of_a_queue_come_with_its_workers(pgq: &PgQueuer) {
    let gauge = Shared::default();
    let ids = InOffice::enqueue_many(pgq, (0..50).map(|_| InOffice {}))
        .await
        .unwrap();
    let two = Limits {
        concurrency: Some(2),
        ..Limits::NONE
    };

    run_all(pgq, &ids, || {
        worker(pgq, &Journal::default())
            .state(Shared::clone(&gauge))
            .register::<InOffice>()
            .queue_limits("office", two)
    })
    .await;

    assert_eq!(gauge.most.load(SeqCst), 2);
}

async fn let_a_drain_run_all_that_they_hold_back(pgq: &PgQueuer) {
    let journal = Journal::default();
    Paced::enqueue_many(pgq, (0..6).map(|_| Paced {}))
        .await
        .unwrap();
    let began = Instant::now();

    let report = drain(worker(pgq, &journal).register::<Paced>()).await;

    assert_eq!(report.completed, 6);
    assert!(
        began.elapsed() >= Duration::from_millis(99),
        "{:?}",
        began.elapsed()
    );
}

async fn are_published_with_the_kind(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<OfCustomer>()).await;

    let kinds = pgq.list_kinds().await.unwrap();
    let limits = pgq.list_limits().await.unwrap();

    assert_eq!(kinds[0].limit_by, ["customer"]);
    assert_eq!(limits.len(), 1);
    assert_eq!(limits[0].scope, kind("of_customer"));
    assert_eq!(limits[0].limits.concurrency_per_key, Some(1));
}

async fn can_be_set_while_workers_run(pgq: &PgQueuer) {
    let gauge = Shared::default();
    let running = Running::start(
        worker(pgq, &Journal::default())
            .state(Shared::clone(&gauge))
            .register::<Narrow>(),
    );
    eventually("the kind", async || {
        (!pgq.list_limits().await.unwrap().is_empty()).then_some(())
    })
    .await;
    let one = [SetLimit::Concurrency(Some(1))];
    pgq.set_limits(&kind("narrow"), &one).await.unwrap();

    let handles = Narrow::enqueue_many(pgq, (0..20).map(|_| Narrow {}))
        .await
        .unwrap();
    for handle in &handles {
        eventually("the end of the job", async || {
            (state(&**pgq.store(), handle).await == JobState::Completed).then_some(())
        })
        .await;
    }

    running.stop().await;
    assert_eq!(gauge.most.load(SeqCst), 1);
}

async fn of_an_alias_are_those_of_its_kind(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<Note>()).await;
    let one = [SetLimit::Concurrency(Some(1))];

    pgq.set_limits(&kind("old_note"), &one).await.unwrap();

    let limits = pgq.list_limits().await.unwrap();
    assert_eq!(limits[0].scope, kind("limits_note"));
}

async fn that_cannot_be_are_refused(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<Note>()).await;
    let office = Scope::Queue("office".to_owned());
    let cases: [(&Scope, SetLimit, &str); 4] = [
        (
            &kind("limits_note"),
            SetLimit::Concurrency(Some(0)),
            "kind `limits_note`: concurrency is 0, at least 1 is needed; to keep jobs from running, pause them",
        ),
        (
            &kind("limits_note"),
            SetLimit::ConcurrencyPerKey(Some(1)),
            "the jobs of kind `limits_note` have no keys; say by which argument, as in \
             `#[job(concurrency(limit = 1, by = customer))]`",
        ),
        (
            &office,
            SetLimit::ConcurrencyPerKey(Some(1)),
            "queue `office` has no keys: its kinds differ in their arguments; limit each of them by key",
        ),
        (
            &Scope::Everything,
            SetLimit::Concurrency(Some(1)),
            "everything together has no limits; limit kinds or queues",
        ),
    ];
    for (scope, limit, message) in cases {
        let error = pgq.set_limits(scope, &[limit]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(pgq.list_limits().await.unwrap(), []);
}

async fn pause_and_resume_a_kind_while_workers_run(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(worker(pgq, &journal).register::<Note>());
    Note { number: 1 }.enqueue(pgq).await.unwrap();
    journal.wait_for(1).await;
    assert!(pgq.pause(&kind("limits_note")).await.unwrap());
    // What a worker has not heard of yet.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let id = Note { number: 2 }.enqueue(pgq).await.unwrap().id();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let meanwhile = state(&**pgq.store(), id).await;
    assert!(pgq.resume(&kind("limits_note")).await.unwrap());
    let lines = journal.wait_for(2).await;

    running.stop().await;
    assert_eq!(meanwhile, JobState::Available);
    assert_eq!(lines, ["1", "2"]);
}

async fn end_a_drain_that_has_nothing_but_what_is_paused(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = Note { number: 1 }.enqueue(pgq).await.unwrap().id();
    pgq.pause(&Scope::Everything).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    assert_eq!(report.completed, 0);
    assert_eq!(state(&**pgq.store(), id).await, JobState::Available);
}
