//! How many jobs a worker runs at a time.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use pgqueuer::{Context, Job as _, PgQueuer, State, job};

use super::{super::runtime_cases, Journal, Running, drain, worker};
use crate::support::{eventually, in_time};

runtime_cases! {
    is_never_exceeded,
    is_used_to_the_full,
    of_a_queue_is_never_exceeded,
    of_a_queue_leaves_room_for_others,
    of_a_queue_does_not_starve_others,
    is_freed_by_panics,
    is_only_for_the_queues_that_are_worked,
}

/// How many jobs of each kind run, and the most that ever did.
#[derive(Default)]
struct Gauge(Mutex<BTreeMap<String, (usize, usize)>>);

impl Gauge {
    fn enter<'a>(&'a self, context: &Context) -> Inside<'a> {
        let mut inside = self.0.lock().unwrap();
        for name in [context.kind(), "all"] {
            let (now, most) = inside.entry(name.to_owned()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        Inside(self, context.kind().to_owned())
    }

    fn most(&self, kind: &str) -> usize {
        self.0.lock().unwrap().get(kind).map_or(0, |it| it.1)
    }
}

struct Inside<'a>(&'a Gauge, String);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut inside = self.0.0.lock().unwrap();
        for name in [self.1.as_str(), "all"] {
            inside.get_mut(name).unwrap().0 -= 1;
        }
    }
}

type Shared = std::sync::Arc<Gauge>;

/// Gives others the time to run, too.
async fn linger() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[job]
async fn work(context: Context, gauge: State<Shared>) {
    let _inside = gauge.enter(&context);
    linger().await;
}

#[job(queue = "narrow")]
async fn narrow(context: Context, gauge: State<Shared>) {
    let _inside = gauge.enter(&context);
    linger().await;
}

#[job(max_attempts = 1)]
async fn breaks(context: Context, gauge: State<Shared>) {
    let _inside = gauge.enter(&context);
    panic!("it breaks");
}

#[job]
async fn wait(journal: State<Journal>, context: Context) {
    journal.note("here");
    context.cancellation().cancelled().await;
}

#[job(queue = "narrow")]
async fn wait_in_narrow(journal: State<Journal>, context: Context) {
    journal.note("narrow");
    context.cancellation().cancelled().await;
}

async fn is_never_exceeded(pgq: &PgQueuer) {
    let gauge = Shared::default();
    Work::enqueue_many(pgq, (0..300).map(|_| Work {}))
        .await
        .unwrap();

    let worker = worker(pgq, &Journal::default()).concurrency(7);
    let report = drain(worker.state(gauge.clone()).register::<Work>()).await;

    assert_eq!(report.completed, 300);
    assert!(gauge.most("all") <= 7, "{} at a time", gauge.most("all"));
}

async fn is_used_to_the_full(pgq: &PgQueuer) {
    let journal = Journal::default();
    Wait::enqueue_many(pgq, (0..20).map(|_| Wait {}))
        .await
        .unwrap();

    let running = Running::start(
        without_grace(pgq, &journal)
            .concurrency(5)
            .register::<Wait>(),
    );
    journal.wait_for(5).await;
    let counts = pgq.count_jobs().await.unwrap();
    running.stop().await;

    assert_eq!((counts.running, counts.available), (5, 15));
}

/// A worker whose jobs are cancelled as soon as it stops.
fn without_grace(pgq: &PgQueuer, journal: &Journal) -> pgqueuer::WorkerBuilder {
    let config = pgqueuer::WorkerConfig {
        shutdown_grace: Duration::ZERO,
        ..pgqueuer::WorkerConfig::default()
    };
    worker(pgq, journal).config(config)
}

async fn of_a_queue_is_never_exceeded(pgq: &PgQueuer) {
    let gauge = Shared::default();
    Narrow::enqueue_many(pgq, (0..60).map(|_| Narrow {}))
        .await
        .unwrap();
    Work::enqueue_many(pgq, (0..60).map(|_| Work {}))
        .await
        .unwrap();

    let worker = worker(pgq, &Journal::default())
        .concurrency(8)
        .queue("narrow", 2);
    let worker = worker.state(gauge.clone()).register::<Work>();
    let report = drain(worker.register::<Narrow>()).await;

    assert_eq!(report.completed, 120);
    assert!(
        gauge.most("narrow") <= 2,
        "{} at a time",
        gauge.most("narrow")
    );
    assert!(gauge.most("all") <= 8, "{} at a time", gauge.most("all"));
}

async fn of_a_queue_leaves_room_for_others(pgq: &PgQueuer) {
    let journal = Journal::default();
    let many = (0..50).map(|_| WaitInNarrow {});
    WaitInNarrow::enqueue_many(pgq, many).await.unwrap();
    Wait::enqueue_many(pgq, (0..50).map(|_| Wait {}))
        .await
        .unwrap();

    let worker = without_grace(pgq, &journal)
        .concurrency(6)
        .queue("narrow", 2);
    let running = Running::start(worker.register::<Wait>().register::<WaitInNarrow>());
    let lines = journal.wait_for(6).await;
    running.stop().await;

    let narrow = lines.iter().filter(|it| *it == "narrow").count();
    assert_eq!((narrow, lines.len()), (2, 6));
}

/// A queue whose bound is as large as the worker's must not take all of its slots for ever.
async fn of_a_queue_does_not_starve_others(pgq: &PgQueuer) {
    let gauge = Shared::default();
    let journal = Journal::default();
    Narrow::enqueue_many(pgq, (0..3000).map(|_| Narrow {}))
        .await
        .unwrap();
    let late = Work {}.enqueue(pgq).await.unwrap().id();

    let worker = worker(pgq, &journal).concurrency(2).queue("narrow", 2);
    let worker = worker.state(gauge).register::<Work>();
    let running = Running::start(worker.register::<Narrow>());
    let left = in_time("the other queue has its turn", async {
        eventually("it is done", async || {
            let record = pgq.get_job(late).await.unwrap().unwrap();
            record.finished_at.is_some().then_some(())
        })
        .await;
        pgq.count_jobs().await.unwrap().available
    })
    .await;
    running.stop().await;

    assert!(
        left > 0,
        "it came last, after 3000 jobs of the same priority"
    );
}

async fn is_freed_by_panics(pgq: &PgQueuer) {
    let gauge = Shared::default();
    Breaks::enqueue_many(pgq, (0..20).map(|_| Breaks {}))
        .await
        .unwrap();
    Work::enqueue_many(pgq, (0..20).map(|_| Work {}))
        .await
        .unwrap();

    let worker = worker(pgq, &Journal::default()).concurrency(2);
    let worker = worker.state(gauge).register::<Breaks>();
    let report = drain(worker.register::<Work>()).await;

    assert_eq!((report.completed, report.held), (20, 20));
}

async fn is_only_for_the_queues_that_are_worked(pgq: &PgQueuer) {
    let gauge = Shared::default();
    Narrow {}.enqueue(pgq).await.unwrap();
    Work {}.enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &Journal::default()).only_queues(["narrow"]);
    let worker = worker.state(gauge).register::<Work>();
    let report = drain(worker.register::<Narrow>()).await;

    assert_eq!(report.completed, 1);
    assert_eq!(pgq.count_jobs().await.unwrap().available, 1);
}
