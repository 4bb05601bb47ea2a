//! Schedules that the code has, and what is changed of them by hand.

use pgqueuer::{
    Changes, Missed, Overlap, Schedule,
    store::{Store, TickToMake},
};
use serde_json::json;

use super::{change, due, hourly, listed, publish, tick, ticked, to_make};
use crate::{conformance::store_cases, support::seconds_from_now};

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
