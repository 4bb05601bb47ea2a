//! Recurring jobs: one row per rule, and one job per tick.

use std::slice;

use pgqueuer::{
    Headers,
    store::{JobState, JobToEnqueue, ScheduleRecord, ScheduleToStore, Store, Tick},
};

use super::super::store_cases;
use crate::support::{claim, job, open_session, record, seconds_from_now};

store_cases! {
    are_stored_and_listed_by_kind,
    keep_their_next_tick_when_they_are_stored_again,
    move_their_next_tick_when_their_rule_changes,
    that_are_not_stored_again_stay,
    say_what_ticks_next_soonest_first,
    say_nothing_of_other_kinds,
    move_on_when_they_tick,
    enqueue_a_job_with_each_tick,
    tick_once_however_many_try,
    do_not_tick_when_they_are_not_due_any_longer,
    do_not_tick_when_they_are_unknown,
}

/// A schedule that ticks this many seconds from now.
async fn schedule(store: &dyn Store, kind: &str, seconds: i64) -> ScheduleToStore {
    ScheduleToStore {
        kind: kind.to_owned(),
        rule: "0 * * * * (UTC)".to_owned(),
        next_tick: seconds_from_now(store, seconds).await,
    }
}

/// A tick of that schedule, an hour before the next one.
fn tick(schedule: &ScheduleToStore) -> Tick {
    Tick {
        due: schedule.next_tick,
        next: schedule.next_tick + chrono::TimeDelta::hours(1),
        job: JobToEnqueue {
            kind: schedule.kind.clone().into(),
            ..job("")
        },
    }
}

async fn are_stored_and_listed_by_kind(store: &dyn Store) {
    let report = schedule(store, "report", 60).await;
    let cleanup = schedule(store, "cleanup", 30).await;

    store
        .store_schedules(&[report.clone(), cleanup.clone()])
        .await
        .unwrap();

    let expected = [cleanup, report].map(|it| ScheduleRecord {
        kind: it.kind,
        rule: it.rule,
        next_tick: it.next_tick,
        last_tick: None,
    });
    assert_eq!(store.list_schedules().await.unwrap(), expected);
}

async fn keep_their_next_tick_when_they_are_stored_again(store: &dyn Store) {
    let first = schedule(store, "report", 60).await;
    let again = schedule(store, "report", 7200).await;
    store
        .store_schedules(slice::from_ref(&first))
        .await
        .unwrap();

    store.store_schedules(&[again]).await.unwrap();

    let stored = store.list_schedules().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].next_tick, first.next_tick);
}

async fn move_their_next_tick_when_their_rule_changes(store: &dyn Store) {
    let first = schedule(store, "report", 60).await;
    let changed = ScheduleToStore {
        rule: "every 2h".to_owned(),
        ..schedule(store, "report", 7200).await
    };
    store.store_schedules(&[first]).await.unwrap();

    store
        .store_schedules(slice::from_ref(&changed))
        .await
        .unwrap();

    let stored = store.list_schedules().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (&stored[0].rule, stored[0].next_tick),
        (&changed.rule, changed.next_tick)
    );
}

async fn that_are_not_stored_again_stay(store: &dyn Store) {
    let report = schedule(store, "report", 60).await;
    let cleanup = schedule(store, "cleanup", 60).await;
    store.store_schedules(&[report]).await.unwrap();

    // Another worker, which knows other kinds.
    store.store_schedules(&[cleanup]).await.unwrap();

    assert_eq!(store.list_schedules().await.unwrap().len(), 2);
}

async fn say_what_ticks_next_soonest_first(store: &dyn Store) {
    let later = schedule(store, "a", 600).await;
    let sooner = schedule(store, "b", 60).await;
    store
        .store_schedules(&[later.clone(), sooner.clone()])
        .await
        .unwrap();
    let before = store.now().await.unwrap();

    let ticks = store.next_ticks(&["a", "b"]).await.unwrap();

    let after = store.now().await.unwrap();
    let kinds: Vec<_> = ticks.iter().map(|it| (it.kind.as_str(), it.at)).collect();
    assert_eq!(kinds, [("b", sooner.next_tick), ("a", later.next_tick)]);
    assert!((before..=after).contains(&ticks[0].now), "{}", ticks[0].now);
}

async fn say_nothing_of_other_kinds(store: &dyn Store) {
    let report = schedule(store, "report", 60).await;
    store.store_schedules(&[report]).await.unwrap();

    let ticks = store.next_ticks(&["cleanup"]).await.unwrap();

    assert_eq!(ticks, []);
    assert_eq!(store.next_ticks(&[]).await.unwrap(), []);
}

async fn move_on_when_they_tick(store: &dyn Store) {
    let report = schedule(store, "report", -60).await;
    store
        .store_schedules(slice::from_ref(&report))
        .await
        .unwrap();
    let tick = tick(&report);

    let enqueued = store.tick(&tick).await.unwrap();

    assert!(enqueued.is_some());
    let stored = store.list_schedules().await.unwrap();
    assert_eq!(stored[0].next_tick, tick.next);
    assert_eq!(stored[0].last_tick, Some(tick.due));
}

async fn enqueue_a_job_with_each_tick(store: &dyn Store) {
    let session = open_session(store).await;
    let report = schedule(store, "report", -60).await;
    store
        .store_schedules(slice::from_ref(&report))
        .await
        .unwrap();
    let mut tick = tick(&report);
    tick.job.priority = 7;
    tick.job.headers = Headers::from([("scheduled_for".to_owned(), "now".to_owned())]);

    let id = store.tick(&tick).await.unwrap().expect("it is due");

    let record = record(store, id).await;
    assert_eq!((record.state, record.priority), (JobState::Available, 7));
    let claimed = claim(store, session, &["report"], 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].payload, tick.job.payload);
    assert_eq!(claimed[0].headers, tick.job.headers);
}

async fn tick_once_however_many_try(store: &dyn Store) {
    let report = schedule(store, "report", -60).await;
    store
        .store_schedules(slice::from_ref(&report))
        .await
        .unwrap();
    let tick = tick(&report);

    let ticks = futures_util::future::join_all((0..8).map(|_| store.tick(&tick))).await;

    let enqueued = ticks.into_iter().filter_map(|it| it.unwrap()).count();
    assert_eq!(enqueued, 1);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

async fn do_not_tick_when_they_are_not_due_any_longer(store: &dyn Store) {
    let report = schedule(store, "report", -60).await;
    store
        .store_schedules(slice::from_ref(&report))
        .await
        .unwrap();
    let tick = tick(&report);
    store.tick(&tick).await.unwrap();

    let late = store.tick(&tick).await.unwrap();

    assert_eq!(late, None);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

async fn do_not_tick_when_they_are_unknown(store: &dyn Store) {
    let unknown = schedule(store, "report", -60).await;

    let enqueued = store.tick(&tick(&unknown)).await.unwrap();

    assert_eq!(enqueued, None);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 0);
}
