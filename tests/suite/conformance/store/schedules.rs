//! Recurring jobs: one row each, and one job per slot.

mod by_hand;
mod published;
mod ticks;

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Headers, Schedule,
    store::{
        DueSchedule, ScheduleRecord, ScheduleToChange, ScheduleToMake, ScheduledJob, Store,
        TickToMake, Ticked,
    },
};

use crate::support::{job, seconds_from_now};

const STEP: TimeDelta = TimeDelta::minutes(1);

async fn publish(store: &dyn Store, name: &str, schedule: Schedule) {
    let taken = store
        .publish_schedules(&[(name.to_owned(), schedule)])
        .await
        .unwrap();
    assert_eq!(taken, []);
}

async fn listed(store: &dyn Store, name: &str) -> ScheduleRecord {
    let all = store.list_schedules().await.unwrap();
    all.into_iter()
        .find(|it| it.name == name)
        .expect("it is listed")
}

async fn due(store: &dyn Store, name: &str) -> Option<DueSchedule> {
    let found = store
        .due_schedules(&[name, "report"], &[name, "report"])
        .await
        .unwrap();
    found.due.into_iter().find(|it| it.name == name)
}

/// A tick of a schedule as it is now.
async fn tick(store: &dyn Store, name: &str, slot: DateTime<Utc>) -> TickToMake {
    TickToMake {
        name: name.to_owned(),
        revision: due(store, name).await.expect("it is due").revision,
        slot: Some(slot),
        next_tick: Some(slot + STEP),
        fault: None,
    }
}

/// Publishes `report`, and ticks it once for an hour ago: it is due again.
async fn ticked(store: &dyn Store, schedule: Schedule) -> (DateTime<Utc>, Ticked) {
    publish(store, "report", schedule).await;
    let slot = seconds_from_now(store, -3700).await;
    let tick = tick(store, "report", slot).await;
    let mut ticked = store.tick(&[tick]).await.unwrap();
    assert_eq!(ticked.len(), 1);
    (slot, ticked.remove(0))
}

fn hourly() -> Schedule {
    Schedule::new("0 * * * *").zone("Europe/Oslo")
}

fn change(settings: serde_json::Value) -> ScheduleToChange {
    let settings = match settings {
        serde_json::Value::Object(settings) => Some(settings),
        _ => None,
    };
    ScheduleToChange {
        settings,
        job: None,
    }
}

fn to_make(name: &str) -> ScheduleToMake {
    ScheduleToMake {
        name: name.to_owned(),
        schedule: hourly(),
        job: ScheduledJob {
            kind: "report".to_owned(),
            payload: job("report").payload,
            limit_key: Some("7".to_owned()),
            unique_key: None,
        },
        priority: Some(3),
        headers: Headers::from([("tenant".to_owned(), "acme".to_owned())]),
    }
}
