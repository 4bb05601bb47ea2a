//! In what order a worker runs its jobs. It runs one at a time here, so that there is one.

use pgqueuer::{Job as _, PgQueuer, State, job};

use super::{super::runtime_cases, Journal, drain, worker};

runtime_cases! {
    run_higher_first,
    run_higher_first_across_kinds,
    run_higher_first_across_queues_with_bounds,
    come_from_the_kind_unless_they_are_given,
    keep_the_order_of_one_batch,
    keep_the_order_of_enqueueing,
    apply_to_what_arrives_meanwhile,
}

#[job]
async fn note(line: String, journal: State<Journal>) {
    journal.note(line);
}

#[job(priority = 5)]
async fn urgent_note(line: String, journal: State<Journal>) {
    journal.note(line);
}

#[job(queue = "bounded")]
async fn bounded_note(line: String, journal: State<Journal>) {
    journal.note(line);
}

#[job]
async fn alarm(journal: State<Journal>, pgq: State<PgQueuer>) -> pgqueuer::Result<()> {
    journal.note("alarm");
    UrgentNote::new("urgent").enqueue(&*pgq).await?;
    Ok(())
}

impl Note {
    fn new(line: &str) -> Self {
        Self { line: line.into() }
    }
}

impl UrgentNote {
    fn new(line: &str) -> Self {
        Self { line: line.into() }
    }
}

impl BoundedNote {
    fn new(line: &str) -> Self {
        Self { line: line.into() }
    }
}

async fn run_higher_first(pgq: &PgQueuer) {
    let journal = Journal::default();
    for (line, priority) in [("low", -1), ("high", 9), ("middle", 1)] {
        let note = Note::new(line).options().priority(priority);
        note.enqueue(pgq).await.unwrap();
    }

    drain(worker(pgq, &journal).concurrency(1).register::<Note>()).await;

    assert_eq!(journal.lines(), ["high", "middle", "low"]);
}

async fn run_higher_first_across_kinds(pgq: &PgQueuer) {
    let journal = Journal::default();
    Note::new("plain").enqueue(pgq).await.unwrap();
    UrgentNote::new("urgent").enqueue(pgq).await.unwrap();
    let vital = Note::new("vital").options().priority(9);
    vital.enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &journal).concurrency(1);
    drain(worker.register::<Note>().register::<UrgentNote>()).await;

    assert_eq!(journal.lines(), ["vital", "urgent", "plain"]);
}

async fn run_higher_first_across_queues_with_bounds(pgq: &PgQueuer) {
    let journal = Journal::default();
    BoundedNote::new("bounded").enqueue(pgq).await.unwrap();
    UrgentNote::new("urgent").enqueue(pgq).await.unwrap();

    let worker = worker(pgq, &journal).concurrency(1).queue("bounded", 1);
    drain(worker.register::<BoundedNote>().register::<UrgentNote>()).await;

    assert_eq!(journal.lines(), ["urgent", "bounded"]);
}

async fn come_from_the_kind_unless_they_are_given(pgq: &PgQueuer) {
    let of_kind = UrgentNote::new("").enqueue(pgq).await.unwrap();
    let given = UrgentNote::new("").options().priority(-7);
    let given = given.enqueue(pgq).await.unwrap();

    let mut priorities = Vec::new();
    for id in [of_kind, given] {
        priorities.push(pgq.get_job(id).await.unwrap().unwrap().priority);
    }

    assert_eq!(priorities, [5, -7]);
}

async fn keep_the_order_of_one_batch(pgq: &PgQueuer) {
    let journal = Journal::default();
    let lines: Vec<String> = (0..100).map(|it| it.to_string()).collect();
    let notes = lines.iter().map(|line| Note::new(line));
    Note::enqueue_many(pgq, notes).await.unwrap();

    drain(worker(pgq, &journal).concurrency(1).register::<Note>()).await;

    assert_eq!(journal.lines(), lines);
}

async fn keep_the_order_of_enqueueing(pgq: &PgQueuer) {
    let journal = Journal::default();
    for line in ["first", "second", "third"] {
        Note::new(line).enqueue(pgq).await.unwrap();
    }

    drain(worker(pgq, &journal).concurrency(1).register::<Note>()).await;

    assert_eq!(journal.lines(), ["first", "second", "third"]);
}

/// A worker that is busy looks for higher priorities a few times a second. Jobs of lower
/// priority may run before it does, but not all of them.
async fn apply_to_what_arrives_meanwhile(pgq: &PgQueuer) {
    let journal = Journal::default();
    Alarm {}.options().priority(9).enqueue(pgq).await.unwrap();
    let notes = (0..20_000).map(|_| Note::new("plain"));
    Note::enqueue_many(pgq, notes).await.unwrap();

    let worker = worker(pgq, &journal).concurrency(2);
    let worker = worker.register::<Alarm>().register::<UrgentNote>();
    let running = super::Running::start(worker.register::<Note>());
    super::in_time("the urgent job", async {
        let mut count = 1;
        while !journal.wait_for(count).await.contains(&"urgent".to_owned()) {
            count = journal.lines().len() + 1;
        }
    })
    .await;
    running.stop().await;

    let lines = journal.lines();
    let place = lines.iter().position(|it| it == "urgent");
    assert!(place.is_some_and(|it| it < 20_000), "{place:?}");
}
