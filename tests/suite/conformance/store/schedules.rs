//! Recurring jobs: one row each, and one job per slot.

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Changes, Headers, JobId, Missed, Overlap, Schedule,
    store::{
        DueSchedule, JobState, ScheduleRecord, ScheduleToChange, ScheduleToMake, ScheduledJob,
        Store, TickToMake, Ticked,
    },
};
use serde_json::json;

use super::super::store_cases;
use crate::support::{
    claim, completed, held, job, kind_record, open_session, record, seconds_from_now, settle,
};

store_cases! {
    are_published_and_listed_by_name,
    go_on_where_they_were_when_they_are_published_again,
    begin_anew_when_they_tick_at_other_times,
    keep_their_next_slot_when_anything_else_changes,
    keep_what_was_changed_by_hand,
    yield_to_the_code_if_it_says_so,
    are_reset_to_the_code,
    do_not_take_the_name_of_another,
    that_are_not_published_again_stay,
    are_due_once_they_are_reckoned,
    are_not_due_for_those_who_do_not_have_them,
    enqueue_a_job_with_each_slot,
    tell_the_slot_before,
    set_their_next_slot_without_a_job,
    tick_once_however_many_try,
    catch_up_slot_after_slot,
    do_not_tick_by_an_old_revision,
    do_not_tick_when_they_are_unknown,
    skip_a_slot_while_the_last_job_is_unfinished,
    do_not_wait_for_a_job_that_is_held,
    stop_at_a_fault_until_they_are_changed,
    do_not_tick_while_they_are_paused,
    run_now_besides_their_slots,
    are_made_once_of_a_name,
    enqueue_what_they_were_made_with,
    enqueue_one_of_jobs_that_are_unique,
    change_their_job_and_nothing_else_of_it,
    are_deleted,
}

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

async fn are_published_and_listed_by_name(store: &dyn Store) {
    let all = [
        ("report", hourly()),
        ("cleanup", Schedule::new("every 90s").missed(Missed::ALL)),
    ]
    .map(|(name, schedule)| (name.to_owned(), schedule));

    store.publish_schedules(&all).await.unwrap();

    let listed = store.list_schedules().await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|it| (it.name.as_str(), it.kind.as_str()))
        .collect();
    assert_eq!(names, [("cleanup", "cleanup"), ("report", "report")]);
    assert_eq!(listed[1].schedule, hourly());
    assert_eq!(listed[1].of_code, Some(hourly()));
    assert_eq!(listed[1].payload.bytes, b"{}");
    assert!(!listed[1].is_changed);
    assert_eq!(
        (listed[1].next_tick, listed[1].last_slot, listed[1].last_job),
        (None, None, None)
    );
    assert_eq!(
        listed[1].next_slots().next(),
        hourly().next_after(listed[1].now).unwrap()
    );
}

async fn go_on_where_they_were_when_they_are_published_again(store: &dyn Store) {
    ticked(store, hourly()).await;
    let before = listed(store, "report").await;

    publish(store, "report", hourly()).await;

    let mut after = listed(store, "report").await;
    after.now = before.now;
    assert_eq!(after, before);
    assert!(before.next_tick.is_some());
}

async fn begin_anew_when_they_tick_at_other_times(store: &dyn Store) {
    let (slot, _) = ticked(store, hourly()).await;
    let before = listed(store, "report").await;

    publish(store, "report", Schedule::new("0 4 * * *")).await;

    let after = listed(store, "report").await;
    assert_eq!(after.next_tick, None);
    assert!(after.after > before.after);
    assert_eq!(after.last_slot, Some(slot));
}

async fn keep_their_next_slot_when_anything_else_changes(store: &dyn Store) {
    ticked(store, hourly()).await;
    let before = listed(store, "report").await;
    let changed = hourly().missed(Missed::Skip).overlap(Overlap::Skip);

    publish(store, "report", changed.clone()).await;

    let after = listed(store, "report").await;
    assert_eq!(
        (after.next_tick, after.after),
        (before.next_tick, before.after)
    );
    assert_eq!(after.schedule, changed);
}

async fn keep_what_was_changed_by_hand(store: &dyn Store) {
    publish(store, "report", hourly()).await;

    let by_hand = change(json!({"rule": "0 5 * * *"}));
    assert!(store.change_schedule("report", &by_hand).await.unwrap());
    publish(store, "report", hourly().missed(Missed::Skip)).await;

    let listed = listed(store, "report").await;
    assert_eq!(listed.schedule.rule, "0 5 * * *");
    assert_eq!(
        (&*listed.schedule.zone, listed.schedule.missed),
        ("Europe/Oslo", Missed::Skip)
    );
    assert!(listed.is_changed);
}

async fn yield_to_the_code_if_it_says_so(store: &dyn Store) {
    let mut yielding = hourly();
    yielding.changes = Changes::Yield;
    publish(store, "report", yielding.clone()).await;
    let by_hand = change(json!({"rule": "0 5 * * *"}));
    store.change_schedule("report", &by_hand).await.unwrap();
    store.pause_schedule("report", true).await.unwrap();

    publish(store, "report", yielding.clone()).await;

    let listed = listed(store, "report").await;
    assert_eq!((listed.schedule, listed.is_changed), (yielding, false));
    // That is no change, but what somebody wants for now.
    assert!(listed.paused_at.is_some());
}

async fn are_reset_to_the_code(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    store
        .change_schedule("report", &change(json!({"rule": "0 5 * * *"})))
        .await
        .unwrap();

    assert!(
        store
            .change_schedule("report", &change(json!(null)))
            .await
            .unwrap()
    );

    assert_eq!(listed(store, "report").await.schedule, hourly());
    store.create_schedule(&to_make("by-hand")).await.unwrap();
    assert!(
        !store
            .change_schedule("by-hand", &change(json!(null)))
            .await
            .unwrap()
    );
    assert!(
        !store
            .change_schedule("none", &change(json!({})))
            .await
            .unwrap()
    );
}

async fn do_not_take_the_name_of_another(store: &dyn Store) {
    store.create_schedule(&to_make("cleanup")).await.unwrap();

    let taken = store
        .publish_schedules(&[("cleanup".to_owned(), hourly())])
        .await
        .unwrap();

    assert_eq!(taken, [("cleanup".to_owned(), "report".to_owned())]);
    assert_eq!(listed(store, "cleanup").await.of_code, None);
}

async fn that_are_not_published_again_stay(store: &dyn Store) {
    publish(store, "report", hourly()).await;

    // Another worker, which knows other kinds.
    publish(store, "cleanup", hourly()).await;

    assert_eq!(store.list_schedules().await.unwrap().len(), 2);
}

async fn are_due_once_they_are_reckoned(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    let unknown = due(store, "report").await.expect("it is to be reckoned");
    assert_eq!((unknown.next_tick, unknown.schedule), (None, Ok(hourly())));
    let soon = seconds_from_now(store, 60).await;

    let reckoned = TickToMake {
        slot: None,
        next_tick: Some(soon),
        ..tick(store, "report", soon).await
    };
    assert_eq!(store.tick(&[reckoned]).await.unwrap(), []);

    let found = store.due_schedules(&["report"], &["report"]).await.unwrap();
    assert_eq!((found.due, found.soonest), (vec![], Some(soon)));
    assert_eq!(store.count_jobs(None).await.unwrap().available, 0);
}

async fn are_not_due_for_those_who_do_not_have_them(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    store.create_schedule(&to_make("by-hand")).await.unwrap();
    let due = async |kinds: &[&str], declared: &[&str]| {
        let found = store.due_schedules(kinds, declared).await.unwrap().due;
        found.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };

    assert!(due(&["cleanup"], &["cleanup"]).await.is_empty());
    assert!(due(&[], &[]).await.is_empty());
    // Its code has the job, but no longer the schedule.
    assert_eq!(due(&["report"], &[]).await, ["by-hand"]);
    assert_eq!(due(&["report"], &["report"]).await.len(), 2);
}

async fn enqueue_a_job_with_each_slot(store: &dyn Store) {
    let session = open_session(store).await;
    let mut kind = kind_record("report");
    kind.priority = 7;
    store.publish_kinds(&[kind]).await.unwrap();

    let (slot, ticked) = ticked(store, hourly()).await;

    assert_eq!((&*ticked.name, ticked.slot), ("report", slot));
    let id = ticked.job.expect("a job");
    let record = record(store, id).await;
    assert_eq!((record.state, record.priority), (JobState::Available, 7));
    let claimed = claim(store, session, &["report"], 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].payload.bytes, b"{}");
    assert_eq!(claimed[0].headers["schedule"], "report");
    let told: DateTime<Utc> = claimed[0].headers["schedule-slot"].parse().unwrap();
    assert_eq!(told, slot);
    let listed = listed(store, "report").await;
    assert_eq!(
        (listed.last_slot, listed.next_tick),
        (Some(slot), Some(slot + STEP))
    );
    let last = listed.last_job.unwrap();
    assert_eq!((last.id, last.state), (id, Some(JobState::Running)));
    assert!(listed.lag() > TimeDelta::zero());
}

async fn tell_the_slot_before(store: &dyn Store) {
    let (first, _) = ticked(store, hourly()).await;
    let next = tick(store, "report", first + STEP).await;

    let ticked = store.tick(&[next]).await.unwrap();

    let record = record(store, ticked[0].job.unwrap()).await;
    let told: DateTime<Utc> = record.headers["schedule-previous-slot"].parse().unwrap();
    assert_eq!(told, first);
}

async fn set_their_next_slot_without_a_job(store: &dyn Store) {
    let (slot, _) = ticked(store, hourly()).await;
    let later = seconds_from_now(store, 60).await;
    let moved = TickToMake {
        slot: None,
        next_tick: Some(later),
        ..tick(store, "report", slot).await
    };

    assert_eq!(store.tick(&[moved]).await.unwrap(), []);

    let listed = listed(store, "report").await;
    assert_eq!(
        (listed.last_slot, listed.next_tick),
        (Some(slot), Some(later))
    );
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

async fn tick_once_however_many_try(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    publish(store, "cleanup", hourly()).await;
    let slot = seconds_from_now(store, -60).await;
    let both = [
        tick(store, "cleanup", slot).await,
        tick(store, "report", slot).await,
    ];

    let ticks = futures_util::future::join_all((0..8).map(|_| store.tick(&both))).await;

    let ticked: usize = ticks.into_iter().map(|it| it.unwrap().len()).sum();
    assert_eq!(ticked, 2);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 2);
}

async fn catch_up_slot_after_slot(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    let slot = seconds_from_now(store, -7200).await;
    let first = tick(store, "report", slot).await;
    let second = TickToMake {
        revision: first.revision + 1,
        slot: Some(slot + STEP),
        ..first.clone()
    };

    let ticked = store.tick(&[first, second]).await.unwrap();

    let slots: Vec<_> = ticked.iter().map(|it| it.slot).collect();
    assert_eq!(slots, [slot, slot + STEP]);
    assert!(ticked[0].job < ticked[1].job && ticked[0].job.is_some());
}

async fn do_not_tick_by_an_old_revision(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    let slot = seconds_from_now(store, -60).await;
    let decided = tick(store, "report", slot).await;
    store
        .change_schedule("report", &change(json!({"rule": "0 5 * * *"})))
        .await
        .unwrap();

    assert_eq!(
        store.tick(std::slice::from_ref(&decided)).await.unwrap(),
        []
    );

    assert_eq!(store.count_jobs(None).await.unwrap().available, 0);
    assert_eq!(listed(store, "report").await.last_slot, None);
}

async fn do_not_tick_when_they_are_unknown(store: &dyn Store) {
    let unknown = TickToMake {
        name: "report".to_owned(),
        revision: 0,
        slot: Some(seconds_from_now(store, -60).await),
        next_tick: None,
        fault: None,
    };

    assert_eq!(store.tick(&[unknown]).await.unwrap(), []);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 0);
}

async fn skip_a_slot_while_the_last_job_is_unfinished(store: &dyn Store) {
    let session = open_session(store).await;
    let (first, ticked) = ticked(store, hourly().overlap(Overlap::Skip)).await;
    let again = async |slot| {
        let tick = tick(store, "report", slot).await;
        store.tick(&[tick]).await.unwrap().remove(0).job
    };
    let second = first + TimeDelta::minutes(1);

    // It waits, and then it runs.
    assert_eq!(again(second).await, None);
    let claimed = claim(store, session, &["report"], 1).await;
    assert_eq!(again(second + TimeDelta::minutes(1)).await, None);
    let skipped = listed(store, "report").await;
    assert_eq!(skipped.last_skipped, Some(second + TimeDelta::minutes(1)));
    assert_eq!(skipped.last_slot, Some(first));
    assert_eq!(skipped.last_job.map(|it| it.id), ticked.job);

    settle(store, session, &[completed(&claimed[0])]).await;
    assert!(again(second + TimeDelta::minutes(2)).await.is_some());
}

async fn do_not_wait_for_a_job_that_is_held(store: &dyn Store) {
    let session = open_session(store).await;
    let (first, _) = ticked(store, hourly().overlap(Overlap::Skip)).await;
    let claimed = claim(store, session, &["report"], 1).await;
    settle(store, session, &[held(&claimed[0])]).await;
    let next = tick(store, "report", first + TimeDelta::minutes(1)).await;

    let ticked = store.tick(&[next]).await.unwrap();

    assert!(ticked[0].job.is_some());
}

async fn stop_at_a_fault_until_they_are_changed(store: &dyn Store) {
    publish(store, "report", hourly()).await;
    let slot = seconds_from_now(store, -60).await;
    let faulty = TickToMake {
        slot: None,
        next_tick: None,
        fault: Some("no such rule".to_owned()),
        ..tick(store, "report", slot).await
    };

    store.tick(&[faulty]).await.unwrap();

    assert_eq!(due(store, "report").await, None);
    let faulty = listed(store, "report").await;
    assert_eq!(faulty.fault.as_deref(), Some("no such rule"));
    assert_eq!(
        (faulty.next_slots().next(), faulty.lag()),
        (None, TimeDelta::zero())
    );
    store
        .change_schedule("report", &change(json!({"rule": "0 5 * * *"})))
        .await
        .unwrap();
    assert!(due(store, "report").await.is_some());
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
    assert_eq!(after.last_job.map(|it| it.id), Some(id));
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
    let of_key = pgqueuer::JobFilter::all().limit_key("7");
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
