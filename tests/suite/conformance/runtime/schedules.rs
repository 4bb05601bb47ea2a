//! Jobs that enqueue themselves.

use std::time::Duration;

use chrono::TimeDelta;
use pgqueuer::{
    Context, PgQueuer, Report, State, job, schedule,
    store::{JobState, ScheduleToStore},
};

use super::{super::runtime_cases, Journal, Running, drain, worker};
use crate::support::{eventually, seconds_from_now};

runtime_cases! {
    are_stored_when_a_worker_starts,
    tick_once_however_many_workers_there_are,
    make_one_late_job_of_many_missed_ticks,
    tell_the_handler_for_when_it_was_meant,
    go_on_ticking,
    wait_for_their_time,
    do_not_tick_in_a_drain_before_their_time,
}

#[schedule("0 4 * * *", tz = "Europe/Oslo", queue = "nightly")]
async fn every_night(journal: State<Journal>, context: Context) {
    journal.note(context.header("scheduled_for").unwrap_or_default());
}

#[schedule(every = "1s")]
async fn every_second(journal: State<Journal>) {
    journal.note("tick");
}

#[job]
async fn nothing() {}

/// Moves the next tick of the schedule to this many seconds ago.
async fn miss(pgq: &PgQueuer, kind: &str, seconds: i64) -> chrono::DateTime<chrono::Utc> {
    let next_tick = seconds_from_now(&**pgq.store(), -seconds).await;
    let rule = pgq.list_schedules().await.unwrap()[0].rule.clone();
    let moved = ["moved", &rule].map(|rule| ScheduleToStore {
        kind: kind.to_owned(),
        rule: rule.to_owned(),
        next_tick,
    });
    for schedule in moved {
        pgq.store().store_schedules(&[schedule]).await.unwrap();
    }
    next_tick
}

async fn store_every_night(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<EveryNight>()).await;
}

async fn are_stored_when_a_worker_starts(pgq: &PgQueuer) {
    store_every_night(pgq).await;

    let stored = pgq.list_schedules().await.unwrap();

    let now = pgq.now().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].kind, "every_night");
    assert_eq!(stored[0].rule, "0 4 * * * (Europe/Oslo)");
    assert_eq!(stored[0].last_tick, None);
    assert!(now < stored[0].next_tick && stored[0].next_tick < now + TimeDelta::hours(26));
}

async fn tick_once_however_many_workers_there_are(pgq: &PgQueuer) {
    let journal = Journal::default();
    store_every_night(pgq).await;
    miss(pgq, "every_night", 60).await;

    let start = || Running::start(worker(pgq, &journal).register::<EveryNight>());
    let workers = [start(), start(), start()];
    journal.wait_for(1).await;
    eventually("all schedulers have looked", async || {
        let schedule = pgq.list_schedules().await.unwrap().remove(0);
        (schedule.next_tick > pgq.now().await.unwrap()).then_some(())
    })
    .await;
    let mut reports = Vec::new();
    for worker in workers {
        reports.push(worker.stop().await);
    }

    let completed: u64 = reports.iter().map(|it: &Report| it.completed).sum();
    let waiting = pgq.count_jobs().await.unwrap().available;
    assert_eq!((completed, waiting, journal.lines().len()), (1, 0, 1));
}

async fn make_one_late_job_of_many_missed_ticks(pgq: &PgQueuer) {
    let journal = Journal::default();
    store_every_night(pgq).await;
    let week = 7 * 24 * 60 * 60;
    miss(pgq, "every_night", week).await;

    let running = Running::start(worker(pgq, &journal).register::<EveryNight>());
    journal.wait_for(1).await;
    let report = running.stop().await;

    let schedule = pgq.list_schedules().await.unwrap().remove(0);
    assert_eq!(report.completed, 1);
    assert!(schedule.next_tick > pgq.now().await.unwrap());
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}

async fn tell_the_handler_for_when_it_was_meant(pgq: &PgQueuer) {
    let journal = Journal::default();
    store_every_night(pgq).await;
    let missed = miss(pgq, "every_night", 3600).await;

    let running = Running::start(worker(pgq, &journal).register::<EveryNight>());
    let lines = journal.wait_for(1).await;
    running.stop().await;

    assert_eq!(lines, [missed.to_rfc3339()]);
    let schedule = pgq.list_schedules().await.unwrap().remove(0);
    assert_eq!(schedule.last_tick, Some(missed));
}

async fn go_on_ticking(pgq: &PgQueuer) {
    let journal = Journal::default();
    let began = std::time::Instant::now();

    let running = Running::start(worker(pgq, &journal).register::<EverySecond>());
    journal.wait_for(3).await;
    running.stop().await;

    let ticks = journal.lines().len();
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(1900),
        "three ticks in {took:?}"
    );
    assert!(
        ticks as f64 <= took.as_secs_f64() + 1.0,
        "{ticks} ticks in {took:?}"
    );
}

async fn wait_for_their_time(pgq: &PgQueuer) {
    let journal = Journal::default();
    let worker = worker(pgq, &journal).register::<EveryNight>();

    let running = Running::start(worker.register::<Nothing>());
    let id = pgqueuer::Job::enqueue(Nothing {}, pgq).await.unwrap();
    eventually("the worker is at work", async || {
        let state = pgq.get_job(id).await.unwrap().unwrap().state;
        (state == JobState::Completed).then_some(())
    })
    .await;
    running.stop().await;

    assert!(journal.lines().is_empty());
}

async fn do_not_tick_in_a_drain_before_their_time(pgq: &PgQueuer) {
    let journal = Journal::default();

    let report = drain(worker(pgq, &journal).register::<EveryNight>()).await;

    assert_eq!(report, Report::default());
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}
