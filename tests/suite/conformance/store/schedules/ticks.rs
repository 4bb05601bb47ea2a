//! A slot, and its job.

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Overlap,
    store::{JobState, Store, TickToMake},
};
use serde_json::json;

use super::{STEP, change, due, hourly, listed, publish, tick, ticked, to_make};
use crate::{
    conformance::store_cases,
    support::{
        claim, completed, held, kind_record, open_session, record, seconds_from_now, settle,
    },
};

store_cases! {
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
    stop_at_a_job_that_can_never_be,
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
    assert_eq!(listed.last_job, Some(id));
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
    assert_eq!(skipped.last_job, ticked.job);

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

/// Its key is too long. The other one ticks, in the same call.
async fn stop_at_a_job_that_can_never_be(store: &dyn Store) {
    let mut kind = kind_record("report");
    kind.limit_by = vec!["customer".to_owned()];
    store.publish_kinds(&[kind]).await.unwrap();
    for (name, length) in [("good", 10), ("long", 2000)] {
        let mut new = to_make(name);
        new.job.limit_key = None;
        new.job.payload.bytes = format!(r#"{{"customer": "{}"}}"#, "x".repeat(length)).into();
        store.create_schedule(&new).await.unwrap();
    }
    let slot = seconds_from_now(store, -60).await;
    let both = [
        tick(store, "long", slot).await,
        tick(store, "good", slot).await,
    ];

    let ticked = store.tick(&both).await.unwrap();

    let names: Vec<_> = ticked.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    let long = listed(store, "long").await;
    let fault = long.fault.expect("it is at fault");
    assert!(fault.contains("a key of job"), "{fault}");
    assert_eq!((long.next_tick, long.last_slot), (None, None));
    assert_eq!(due(store, "long").await, None);
    assert!(store.run_schedule("long").await.is_err());
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}
