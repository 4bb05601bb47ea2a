//! Running what there is, and coming to an end.

use std::collections::BTreeSet;

use pgqueuer::{
    Job as _, PgQueuer, Report, State, job, schedule,
    store::{JobState, Look},
};

use super::{
    super::runtime_cases,
    Journal, drain,
    schedules::{miss, past_hours, publish},
    worker,
};
use crate::support::{LONG, claim, open_session, state};

runtime_cases! {
    ends_when_there_is_nothing,
    runs_every_job_once,
    runs_thousands_of_jobs_once_each,
    shares_the_jobs_with_other_workers,
    begins_when_others_on_the_handle_do,
    runs_what_handlers_enqueue,
    runs_the_slots_that_are_due,
    ends_only_when_nothing_is_left,
    leaves_what_is_not_due,
    leaves_kinds_that_it_does_not_know,
    leaves_jobs_that_others_run,
    leaves_no_session_behind,
    answers_to_an_alias,
    publishes_its_kinds_and_their_aliases,
    remembers_for_as_long_as_the_kind_asks,
}

#[job]
async fn note(number: u32, journal: State<Journal>) {
    journal.note(number.to_string());
}

#[job]
async fn stranger() {}

#[job]
async fn countdown(
    from: u32,
    journal: State<Journal>,
    pgq: State<PgQueuer>,
) -> pgqueuer::Result<()> {
    journal.note(from.to_string());
    if let Some(next) = from.checked_sub(1) {
        Countdown { from: next }.enqueue(&*pgq).await?;
    }
    Ok(())
}

#[job(name = "old_name")]
async fn before_the_deploy(number: u32) {
    let _ = number;
}

#[job(aliases = ["old_name"], max_attempts = 3, on_failure = "discard", queue = "notes")]
async fn new_name(number: u32, journal: State<Journal>) {
    journal.note(number.to_string());
}

/// Their connections are those of the handle.
async fn begins_when_others_on_the_handle_do(pgq: &PgQueuer) {
    let journal = Journal::default();
    Note { number: 1 }.enqueue(pgq).await.unwrap();

    // Each on a thread, so that they really begin at the same time.
    let on_a_thread = |_| {
        let drain = drain(worker(pgq, &journal).register::<Note>());
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(drain))
    };
    let drains: Vec<_> = (0..10).map(on_a_thread).collect();
    let mut completed = 0;
    for drain in drains {
        completed += drain.await.unwrap().completed;
    }

    assert_eq!(completed, 1);
}

#[job(retain = "0s")]
async fn forgotten() {}

async fn enqueue_notes(pgq: &PgQueuer, count: u32) -> Vec<pgqueuer::JobId> {
    let notes = (0..count).map(|number| Note { number });
    let handles = Note::enqueue_many(pgq, notes).await.unwrap();
    handles.iter().map(pgqueuer::JobHandle::id).collect()
}

async fn ends_when_there_is_nothing(pgq: &PgQueuer) {
    let report = drain(worker(pgq, &Journal::default()).register::<Note>()).await;

    assert_eq!(report, Report::default());
}

async fn runs_every_job_once(pgq: &PgQueuer) {
    let journal = Journal::default();
    let ids = enqueue_notes(pgq, 3).await;

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    assert_eq!(report.completed, 3);
    assert_eq!(BTreeSet::from_iter(journal.lines()).len(), 3);
    for id in ids {
        assert_eq!(state(&**pgq.store(), id).await, JobState::Completed);
    }
}

async fn runs_thousands_of_jobs_once_each(pgq: &PgQueuer) {
    let journal = Journal::default();
    enqueue_notes(pgq, 5000).await;

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    let lines = journal.lines();
    assert_eq!((report.completed, lines.len()), (5000, 5000));
    assert_eq!(BTreeSet::from_iter(lines).len(), 5000);
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}

async fn shares_the_jobs_with_other_workers(pgq: &PgQueuer) {
    let journal = Journal::default();
    enqueue_notes(pgq, 1000).await;

    let one = || drain(worker(pgq, &journal).concurrency(7).register::<Note>());
    let reports = tokio::join!(one(), one(), one());

    let completed = reports.0.completed + reports.1.completed + reports.2.completed;
    assert_eq!((completed, journal.lines().len()), (1000, 1000));
}

async fn runs_what_handlers_enqueue(pgq: &PgQueuer) {
    let journal = Journal::default();
    Countdown { from: 3 }.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<Countdown>()).await;

    assert_eq!(report.completed, 4);
    assert_eq!(journal.lines(), ["3", "2", "1", "0"]);
}

#[schedule("0 * * * *", missed = "all up to 24")]
async fn hourly(journal: State<Journal>) {
    journal.note("tick");
}

/// It looks at the schedules first, and does not leave that to a loop beside it.
async fn runs_the_slots_that_are_due(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<Hourly>(pgq).await;
    let slots = past_hours(pgq, 3).await;
    miss(pgq, "hourly", slots[0]).await;

    let report = drain(worker(pgq, &journal).register::<Hourly>()).await;

    // Or four, if an hour began just now.
    let ran = journal.lines().len();
    assert!(ran == 3 || ran == 4, "{ran}");
    assert_eq!(report.completed, ran as u64);
}

#[job(max_attempts = 5, backoff = "0s")]
async fn never_well() -> Result<(), &'static str> {
    Err("at once again")
}

/// A job may become available again while the drain makes sure that nothing is left.
async fn ends_only_when_nothing_is_left(pgq: &PgQueuer) {
    for round in 1..=30 {
        NeverWell {}.enqueue(pgq).await.unwrap();

        let report = drain(worker(pgq, &Journal::default()).register::<NeverWell>()).await;

        assert_eq!((report.retried, report.held), (4, 1), "round {round}");
    }
}

async fn leaves_what_is_not_due(pgq: &PgQueuer) {
    let journal = Journal::default();
    let later = Note { number: 1 }.options().delay(LONG);
    let id = later.enqueue(pgq).await.unwrap().id();

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    assert_eq!(report, Report::default());
    assert_eq!(state(&**pgq.store(), id).await, JobState::Scheduled);
}

async fn leaves_kinds_that_it_does_not_know(pgq: &PgQueuer) {
    let journal = Journal::default();
    let unknown = Stranger {}.enqueue(pgq).await.unwrap().id();
    enqueue_notes(pgq, 1).await;

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    let record = pgq.get_job(unknown).await.unwrap().unwrap();
    assert_eq!(report.completed, 1);
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn leaves_jobs_that_others_run(pgq: &PgQueuer) {
    let journal = Journal::default();
    let store = &**pgq.store();
    let other = open_session(store).await;
    enqueue_notes(pgq, 2).await;
    let theirs = claim(store, other, &["note"], 1).await;

    let report = drain(worker(pgq, &journal).register::<Note>()).await;

    assert_eq!(
        (report.completed, journal.lines()),
        (1, vec!["1".to_owned()])
    );
    assert_eq!(state(store, theirs[0].key.id).await, JobState::Running);
}

/// What a worker leaves would keep the bell ringing, and later be taken for a crash.
async fn leaves_no_session_behind(pgq: &PgQueuer) {
    let store = &**pgq.store();
    let first = open_session(store).await;

    drain(worker(pgq, &Journal::default()).register::<Note>()).await;

    let next = pgqueuer::store::SessionId(first.0 + 1);
    let request = pgqueuer::store::ClaimRequest {
        session: next,
        kinds: &["note"],
        limit: 1,
        bounds: &[],
        look: Look::Everywhere,
        has_freed: false,
    };
    enqueue_notes(pgq, 1).await;
    assert!(!store.renew_session(next, LONG).await.unwrap());
    assert_eq!(store.claim(&request).await.unwrap().jobs, []);
}

async fn answers_to_an_alias(pgq: &PgQueuer) {
    let journal = Journal::default();
    let old = BeforeTheDeploy { number: 1 }
        .enqueue(pgq)
        .await
        .unwrap()
        .id();
    NewName { number: 2 }.enqueue(pgq).await.unwrap();

    let report = drain(worker(pgq, &journal).register::<NewName>()).await;

    assert_eq!(report.completed, 2);
    assert_eq!(
        BTreeSet::from_iter(journal.lines()),
        ["1", "2"].map(str::to_owned).into()
    );
    assert_eq!(pgq.get_job(old).await.unwrap().unwrap().kind, "old_name");
}

async fn publishes_its_kinds_and_their_aliases(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<NewName>()).await;

    let published = pgq.list_kinds().await.unwrap();

    let names: Vec<&str> = published.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(names, ["new_name", "old_name"]);
    for kind in &published {
        assert_eq!((kind.queue.as_str(), kind.max_attempts), ("notes", 3));
        assert_eq!(kind.on_failure, "discard");
        assert_eq!(kind.retain_seconds, 7 * 24 * 60 * 60);
        assert_eq!(
            kind.arguments,
            serde_json::json!([{"name": "number", "type": "u32"}])
        );
        assert!(kind.source.contains("drain.rs:"), "{}", kind.source);
    }
}

async fn remembers_for_as_long_as_the_kind_asks(pgq: &PgQueuer) {
    let id = Forgotten {}.enqueue(pgq).await.unwrap().id();

    let report = drain(worker(pgq, &Journal::default()).register::<Forgotten>()).await;

    assert_eq!(report.completed, 1);
    assert_eq!(pgq.get_job(id).await.unwrap(), None);
}
