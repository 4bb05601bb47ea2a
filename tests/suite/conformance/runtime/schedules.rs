//! Jobs that enqueue themselves.

mod by_hand;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Context, Job, PgQueuer, State, Tick, job, schedule,
    store::{JobState, ScheduleRecord, TickToMake},
};

use super::{super::runtime_cases, Journal, Running, drain, worker};
use crate::support::{eventually, seconds_from_now};

runtime_cases! {
    are_published_when_a_worker_starts,
    tick_once_however_many_workers_there_are,
    make_one_late_job_of_many_missed_slots,
    make_a_late_job_of_each_missed_slot,
    make_no_job_of_missed_slots,
    tell_the_handler_its_slot,
    are_the_same_slot_in_every_attempt,
    go_on_ticking,
    wait_for_their_time,
    do_not_tick_in_a_drain_before_their_time,
}

#[schedule("0 4 * * *", tz = "Europe/Oslo", queue = "nightly")]
async fn every_night(journal: State<Journal>, tick: Tick) {
    journal.note(tick.slot.to_rfc3339());
}

#[schedule("0 * * * *", missed = "all up to 24")]
async fn every_hour(journal: State<Journal>, tick: Tick) {
    journal.note(tick.slot.to_rfc3339());
}

#[schedule("0 * * * *", missed = "skip")]
async fn when_awake(journal: State<Journal>) {
    journal.note("tick");
}

#[schedule(every = "1s")]
async fn every_second(journal: State<Journal>) {
    journal.note("tick");
}

#[schedule(every = "1s", overlap = "skip")]
async fn slowly(journal: State<Journal>, context: Context) {
    journal.note("tick");
    context.cancelled().await;
}

#[schedule(every = "1h", max_attempts = 2, backoff = "1ms")]
async fn flaky(journal: State<Journal>, tick: Tick, context: &Context) -> Result<(), String> {
    journal.note(format!("{} {:?}", tick.slot.to_rfc3339(), tick.schedule));
    if context.attempt() == 1 {
        return Err("once more".to_owned());
    }
    Ok(())
}

#[job]
async fn report(customer: i64, journal: State<Journal>, tick: Tick) {
    let previous = tick.previous.map(|it| it < tick.slot);
    journal.note(format!(
        "{customer} {:?} {previous:?} {}",
        tick.schedule,
        tick.late_by < LONG_AGO
    ));
}

const LONG_AGO: TimeDelta = TimeDelta::minutes(5);

#[job]
async fn nothing() {}

/// Lets the schedule be due since this many seconds ago, or for a slot in the past.
pub(super) async fn miss(pgq: &PgQueuer, kind: &str, slot: DateTime<Utc>) {
    let due = pgq
        .store()
        .due_schedules(&[kind], &[kind])
        .await
        .unwrap()
        .due;
    let revision = match due.first() {
        Some(due) => due.revision,
        // Not due, so it has been reckoned, once.
        None => 1,
    };
    let moved = TickToMake {
        name: kind.to_owned(),
        revision,
        slot: None,
        next_tick: Some(slot),
        fault: None,
    };
    pgq.store().tick(&[moved]).await.unwrap();
    assert_eq!(listed(pgq, kind).await.next_tick, Some(slot));
}

/// The slots of the last hours, so many of them: full hours in the past.
pub(super) async fn past_hours(pgq: &PgQueuer, count: i64) -> Vec<DateTime<Utc>> {
    let now = pgq.now().await.unwrap().timestamp();
    let last = now.div_euclid(3600);
    let hour = |it: i64| DateTime::from_timestamp(it * 3600, 0).unwrap();
    (last - count + 1..=last).map(hour).collect()
}

async fn listed(pgq: &PgQueuer, name: &str) -> ScheduleRecord {
    let all = pgq.list_schedules().await.unwrap();
    all.into_iter()
        .find(|it| it.name == name)
        .expect("it is listed")
}

pub(super) async fn publish<J: Job>(pgq: &PgQueuer) {
    let schedule = (J::KIND.to_owned(), J::SCHEDULE.expect("it has one"));
    pgq.store().publish_schedules(&[schedule]).await.unwrap();
}

async fn next_is_reckoned(pgq: &PgQueuer, name: &str) -> DateTime<Utc> {
    eventually("the next slot is to come", async || {
        let all = pgq.list_schedules().await.unwrap();
        let next = all.into_iter().find(|it| it.name == name)?.next_tick?;
        (next > pgq.now().await.unwrap()).then_some(next)
    })
    .await
}

async fn are_published_when_a_worker_starts(pgq: &PgQueuer) {
    let journal = Journal::default();

    let running = Running::start(worker(pgq, &journal).register::<EveryNight>());
    let next = next_is_reckoned(pgq, "every_night").await;
    running.stop().await;

    let listed = listed(pgq, "every_night").await;
    assert_eq!(listed.schedule.to_string(), "0 4 * * * (Europe/Oslo)");
    assert_eq!(listed.of_code, EveryNight::SCHEDULE);
    assert_eq!((listed.last_slot, listed.last_job), (None, None));
    assert!(next < listed.now + TimeDelta::hours(26));
    assert_eq!(listed.next_slots().next(), Some(next));
}

async fn tick_once_however_many_workers_there_are(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<EveryNight>(pgq).await;
    miss(
        pgq,
        "every_night",
        seconds_from_now(&**pgq.store(), -60).await,
    )
    .await;

    let start = || Running::start(worker(pgq, &journal).register::<EveryNight>());
    let workers = [start(), start(), start()];
    journal.wait_for(1).await;
    next_is_reckoned(pgq, "every_night").await;
    let mut reports = Vec::new();
    for worker in workers {
        reports.push(worker.stop().await);
    }

    let completed: u64 = reports
        .iter()
        .map(|it: &pgqueuer::Report| it.completed)
        .sum();
    let waiting = pgq.count_jobs().await.unwrap().available;
    assert_eq!((completed, waiting, journal.lines().len()), (1, 0, 1));
}

async fn make_one_late_job_of_many_missed_slots(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<EveryNight>(pgq).await;
    let week = TimeDelta::days(7);
    let now = pgq.now().await.unwrap();
    let first = EveryNight::SCHEDULE
        .unwrap()
        .next_after(now - week)
        .unwrap()
        .unwrap();
    miss(pgq, "every_night", first).await;

    let running = Running::start(worker(pgq, &journal).register::<EveryNight>());
    let lines = journal.wait_for(1).await;
    let next = next_is_reckoned(pgq, "every_night").await;
    let report = running.stop().await;

    // For the last of them.
    let last: DateTime<Utc> = lines[0].parse().unwrap();
    assert!(last <= now && now - last < TimeDelta::hours(26), "{last}");
    assert_eq!(
        EveryNight::SCHEDULE.unwrap().next_after(last).unwrap(),
        Some(next)
    );
    assert_eq!(report.completed, 1);
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}

async fn make_a_late_job_of_each_missed_slot(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<EveryHour>(pgq).await;
    let hours = past_hours(pgq, 10).await;
    miss(pgq, "every_hour", hours[0]).await;

    let running = Running::start(worker(pgq, &journal).register::<EveryHour>().concurrency(1));
    let lines = journal.wait_for(10).await;
    next_is_reckoned(pgq, "every_hour").await;
    let report = running.stop().await;

    let expected: Vec<_> = hours.iter().map(DateTime::to_rfc3339).collect();
    // Unless an hour began just now.
    assert_eq!(lines[..10], expected);
    assert!(report.completed <= 11, "{report:?}");
}

async fn make_no_job_of_missed_slots(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<WhenAwake>(pgq).await;
    let now = pgq.now().await.unwrap();
    let hours = past_hours(pgq, 10).await;
    miss(pgq, "when_awake", hours[0]).await;

    let running = Running::start(worker(pgq, &journal).register::<WhenAwake>());
    let next = next_is_reckoned(pgq, "when_awake").await;
    running.stop().await;

    // But for one that is less than a minute late.
    let is_late = now - hours[9] > TimeDelta::minutes(1);
    assert!(
        !is_late || journal.lines().is_empty(),
        "{:?}",
        journal.lines()
    );
    assert!(next - hours[9] <= TimeDelta::hours(2));
}

async fn tell_the_handler_its_slot(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<EveryNight>(pgq).await;
    let schedule = EveryNight::SCHEDULE.unwrap();
    let slot_after = |time| schedule.next_after(time).unwrap().unwrap();
    // The last one: a day has 25 hours at most.
    let now = pgq.now().await.unwrap();
    let mut missed = slot_after(now - TimeDelta::hours(25));
    if slot_after(missed) <= now {
        missed = slot_after(missed);
    }
    miss(pgq, "every_night", missed).await;

    let running = Running::start(worker(pgq, &journal).register::<EveryNight>());
    let lines = journal.wait_for(1).await;
    running.stop().await;

    assert_eq!(lines, [missed.to_rfc3339()]);
    assert_eq!(listed(pgq, "every_night").await.last_slot, Some(missed));
}

async fn are_the_same_slot_in_every_attempt(pgq: &PgQueuer) {
    let journal = Journal::default();
    publish::<Flaky>(pgq).await;
    let hour = past_hours(pgq, 1).await[0];
    miss(pgq, "flaky", hour).await;

    let running = Running::start(worker(pgq, &journal).register::<Flaky>());
    let lines = journal.wait_for(2).await;
    running.stop().await;

    // Or the next one, if an hour began just now.
    let possible = [hour, hour + TimeDelta::hours(1)];
    let possible = possible.map(|it| format!("{} Some(\"flaky\")", it.to_rfc3339()));
    assert!(possible.contains(&lines[0]), "{lines:?}");
    assert_eq!(lines[0], lines[1]);
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
    let id = Nothing {}.enqueue(pgq).await.unwrap().id();
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

    assert_eq!(report, pgqueuer::Report::default());
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}
