//! Schedules that are made and paused, and run at once.

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    JobFilter, JobId, Schedule,
    store::{JobState, ScheduleToChange, ScheduleToMake, ScheduledJob, Store},
};

use super::{due, hourly, listed, tick, ticked, to_make};
use crate::{
    conformance::store_cases,
    support::{kind_record, record, seconds_from_now},
};

store_cases! {
    do_not_tick_while_they_are_paused,
    run_now_besides_their_slots,
    are_made_once_of_a_name,
    enqueue_what_they_were_made_with,
    enqueue_one_of_jobs_that_are_unique,
    get_the_keys_of_their_kind_when_they_tick,
    change_their_job_and_nothing_else_of_it,
    are_deleted,
}

async fn do_not_tick_while_they_are_paused(store: &dyn Store) {
    ticked(store, hourly()).await;
    let decided = tick(store, "report", seconds_from_now(store, -60).await).await;

    assert_eq!(
        store.pause_schedule("report", true).await.unwrap(),
        Some(true)
    );
    assert_eq!(
        store.pause_schedule("report", true).await.unwrap(),
        Some(false)
    );
    assert_eq!(due(store, "report").await, None);
    assert_eq!(store.tick(&[decided]).await.unwrap(), []);
    assert_eq!(listed(store, "report").await.next_slots().next(), None);

    let before = store.now().await.unwrap();
    assert_eq!(
        store.pause_schedule("report", false).await.unwrap(),
        Some(true)
    );
    // What has passed meanwhile is not missed.
    let resumed = due(store, "report").await.unwrap();
    assert_eq!(resumed.next_tick, None);
    assert!(resumed.after >= before);
    assert_eq!(store.pause_schedule("none", true).await.unwrap(), None);
}

async fn run_now_besides_their_slots(store: &dyn Store) {
    let (slot, _) = ticked(store, hourly()).await;
    let before = listed(store, "report").await;
    store.pause_schedule("report", true).await.unwrap();
    store.pause_schedule("report", false).await.unwrap();
    let now = store.now().await.unwrap();

    let id = store.run_schedule("report").await.unwrap().expect("a job");

    let after = listed(store, "report").await;
    assert_eq!(
        (after.last_slot, before.last_slot),
        (Some(slot), Some(slot))
    );
    assert_eq!(after.last_job, Some(id));
    let told: DateTime<Utc> = record(store, id).await.headers["schedule-slot"]
        .parse()
        .unwrap();
    assert!(
        told >= now - TimeDelta::milliseconds(1),
        "{told} is before {now}"
    );
    assert_eq!(store.run_schedule("none").await.unwrap(), None);
}

async fn are_made_once_of_a_name(store: &dyn Store) {
    assert!(store.create_schedule(&to_make("weekly")).await.unwrap());
    let other = ScheduleToMake {
        schedule: Schedule::new("every 5m"),
        ..to_make("weekly")
    };

    assert!(!store.create_schedule(&other).await.unwrap());

    let made = listed(store, "weekly").await;
    assert_eq!((made.schedule, made.of_code), (hourly(), None));
    assert_eq!((&*made.kind, made.priority), ("report", Some(3)));
}

async fn enqueue_what_they_were_made_with(store: &dyn Store) {
    let new = to_make("weekly");
    store.create_schedule(&new).await.unwrap();
    let slot = seconds_from_now(store, -60).await;
    let tick = tick(store, "weekly", slot).await;

    let ticked = store.tick(&[tick]).await.unwrap();

    let record = record(store, ticked[0].job.unwrap()).await;
    assert_eq!((&*record.kind, record.priority), ("report", 3));
    assert_eq!(record.payload, Some(new.job.payload));
    assert_eq!(record.headers["tenant"], "acme");
    let of_key = JobFilter::all().limit_key("7");
    let with_key = store.list_jobs(&of_key, JobId::from(0), 10).await.unwrap();
    assert_eq!(with_key.len(), 1);
}

async fn enqueue_one_of_jobs_that_are_unique(store: &dyn Store) {
    let mut new = to_make("weekly");
    new.job.unique_key = Some("7".to_owned());
    store.create_schedule(&new).await.unwrap();
    let slot = seconds_from_now(store, -3700).await;
    let first = tick(store, "weekly", slot).await;
    let first = store.tick(&[first]).await.unwrap();
    let second = tick(store, "weekly", slot + TimeDelta::minutes(1)).await;

    let second = store.tick(&[second]).await.unwrap();

    assert_eq!(first[0].job, second[0].job);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

/// When it was made, no worker had published the kind.
async fn get_the_keys_of_their_kind_when_they_tick(store: &dyn Store) {
    let mut new = to_make("weekly");
    new.job.limit_key = None;
    new.job.payload.bytes = br#"{"customer": 7, "day": "mon"}"#.to_vec();
    store.create_schedule(&new).await.unwrap();
    let mut kind = kind_record("report");
    kind.limit_by = vec!["customer".to_owned()];
    kind.unique_by = Some(vec!["customer".to_owned(), "day".to_owned()]);
    store.publish_kinds(&[kind]).await.unwrap();

    let id = store.run_schedule("weekly").await.unwrap();

    for filter in [
        JobFilter::all().limit_key("7"),
        JobFilter::all().unique_key("[7, \"mon\"]"),
    ] {
        let found = store.list_jobs(&filter, JobId::from(0), 10).await.unwrap();
        assert_eq!(found.iter().map(|it| Some(it.id)).collect::<Vec<_>>(), [id]);
    }
    assert_eq!(store.run_schedule("weekly").await.unwrap(), id);
}

async fn change_their_job_and_nothing_else_of_it(store: &dyn Store) {
    store.create_schedule(&to_make("weekly")).await.unwrap();
    let mut other = to_make("weekly").job;
    other.payload.bytes = b"{\"customer\":8}".to_vec();
    let job = |job: &ScheduledJob| ScheduleToChange {
        settings: Some(serde_json::Map::new()),
        job: Some(job.clone()),
    };

    assert!(store.change_schedule("weekly", &job(&other)).await.unwrap());
    let of_another_kind = ScheduledJob {
        kind: "cleanup".to_owned(),
        ..other.clone()
    };
    assert!(
        !store
            .change_schedule("weekly", &job(&of_another_kind))
            .await
            .unwrap()
    );

    let changed = listed(store, "weekly").await;
    assert_eq!(
        (changed.payload, changed.schedule),
        (other.payload, hourly())
    );
    assert_eq!((&*changed.kind, changed.priority), ("report", Some(3)));
}

async fn are_deleted(store: &dyn Store) {
    let (_, ticked) = ticked(store, hourly()).await;

    assert!(store.delete_schedule("report").await.unwrap());

    assert!(!store.delete_schedule("report").await.unwrap());
    assert!(store.list_schedules().await.unwrap().is_empty());
    assert_eq!(
        record(store, ticked.job.unwrap()).await.state,
        JobState::Available
    );
}
