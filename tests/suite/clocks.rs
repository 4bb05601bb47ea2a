//! Whose clock decides: that of the store, however wrong the worker's is beside it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{PgQueuer, Schedule, ScheduleChange, job, store::ScheduleRecord};

/// Every hour, so that a minute matters.
#[job]
async fn hourly() {}

/// What a worker has made of a schedule after a while, on a store whose clock is off by so much.
async fn after(how_long: TimeDelta, off: TimeDelta) -> (DateTime<Utc>, ScheduleRecord) {
    // Five minutes before an hour, wherever this machine is in its own.
    let hour = Utc::now().timestamp().div_euclid(3600) * 3600;
    let hour = DateTime::from_timestamp(hour, 0).unwrap() + off;
    let pgq = PgQueuer::in_memory_at(hour - TimeDelta::minutes(5));
    let every_hour = Schedule::new(format!("{} * * * *", hour.format("%M")));
    pgq.create_schedule("hourly", &every_hour, Hourly {})
        .await
        .unwrap();
    let worker = pgq.worker().only_registered().register::<Hourly>();
    let running = worker.build().unwrap().run();
    let _ = tokio::time::timeout(how_long.to_std().unwrap(), running).await;
    let mut listed = pgq.list_schedules().await.unwrap();
    (hour, listed.remove(0))
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_clock_is_off_ticks_at_the_time_of_the_store() {
    for minutes in [-10, 10, -60 * 24 * 365] {
        let off = TimeDelta::minutes(minutes);

        let (hour, schedule) = after(TimeDelta::minutes(4), off).await;
        assert_eq!(
            (schedule.last_slot, schedule.next_tick),
            (None, Some(hour)),
            "{minutes}"
        );

        let (hour, schedule) = after(TimeDelta::minutes(6), off).await;
        assert_eq!(schedule.last_slot, Some(hour), "{minutes}");
        assert_eq!(schedule.next_tick, Some(hour + TimeDelta::hours(1)));
    }
}

/// A server whose clock is set back does not tick a second time.
#[tokio::test(start_paused = true)]
async fn slots_do_not_come_again() {
    let start: DateTime<Utc> = "2026-03-04T10:59:58Z".parse().unwrap();
    let pgq = PgQueuer::in_memory_at(start);
    pgq.create_schedule("hourly", &Schedule::new("0 * * * *"), Hourly {})
        .await
        .unwrap();
    let store = pgq.store();
    let due = store
        .due_schedules(&["hourly"], &[])
        .await
        .unwrap()
        .due
        .remove(0);
    let slot = start + TimeDelta::hours(5);
    // It was carried out when the clock was five hours ahead.
    let early = pgqueuer::store::TickToMake {
        name: due.name,
        revision: due.revision,
        slot: Some(slot),
        next_tick: Some(slot + TimeDelta::hours(1)),
        fault: None,
    };
    store.tick(&[early]).await.unwrap();

    // Reckoned anew, it goes on after that slot.
    let change = ScheduleChange::new()
        .rule("0 * * * *")
        .zone("Europe/London");
    pgq.change_schedule("hourly", change).await.unwrap();
    let worker = pgq
        .worker()
        .only_registered()
        .register::<Hourly>()
        .build()
        .unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(7200), worker.run()).await;

    let listed = pgq.list_schedules().await.unwrap().remove(0);
    assert_eq!(listed.last_slot, Some(slot));
    assert!(listed.next_tick > Some(slot));
}
