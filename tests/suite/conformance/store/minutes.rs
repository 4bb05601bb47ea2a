//! What was done, minute by minute.

use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta, Timelike as _};
use pgqueuer::{
    MinuteRecord, Tally,
    store::{MinuteToAdd, SessionId, Store},
};

use super::super::store_cases;
use crate::support::LONG;

store_cases! {
    are_empty_at_first,
    begin_when_a_minute_does,
    add_up,
    add_up_over_sessions,
    are_listed_by_time_and_kind,
    are_listed_for_as_long_as_asked,
    are_listed_for_all_time,
    are_forgotten_when_they_are_old,
    are_forgotten_up_to_the_limit,
    are_added_all_at_once_or_not_at_all,
}

const MINUTE: Duration = Duration::from_secs(60);

fn tally(completed: u64, held: u64, seconds: f64) -> Tally {
    let mut tally = Tally::default();
    tally.completed = completed;
    tally.held = held;
    tally.wait_seconds = seconds * 2.0;
    tally.run_seconds = seconds;
    tally.max_run_seconds = seconds;
    tally
}

fn done(kind: &str, ago: Duration, tally: Tally) -> MinuteToAdd {
    MinuteToAdd {
        ago,
        session: SessionId(1),
        kind: kind.to_owned(),
        measures: tally.into(),
    }
}

async fn list(store: &dyn Store, last: Duration) -> Vec<MinuteRecord> {
    store.list_minutes(last).await.unwrap()
}

/// What all minutes come to: a case may begin in one and end in the next.
async fn total(store: &dyn Store) -> Tally {
    let mut total = Tally::default();
    for it in list(store, LONG).await {
        total.add(&it.tally);
    }
    total
}

async fn are_empty_at_first(store: &dyn Store) {
    store.add_minutes(&[]).await.unwrap();

    assert_eq!(list(store, LONG).await, []);
}

async fn begin_when_a_minute_does(store: &dyn Store) {
    let before = store.now().await.unwrap();
    let added = done("mail", Duration::ZERO, tally(1, 0, 0.5));
    store.add_minutes(&[added]).await.unwrap();
    let after = store.now().await.unwrap();

    let listed = list(store, LONG).await;

    assert_eq!(listed.len(), 1);
    let minute = listed[0].minute;
    assert_eq!((minute.second(), minute), (0, minute.trunc_subsecs(0)));
    assert!(before - TimeDelta::minutes(1) < minute && minute <= after);
    assert_eq!(listed[0].kind, "mail");
    assert_eq!(listed[0].tally, tally(1, 0, 0.5));
}

async fn add_up(store: &dyn Store) {
    let mut failed = Tally::default();
    (failed.retried, failed.discarded) = (3, 4);
    (failed.cancelled, failed.snoozed) = (5, 6);
    let slow = done("mail", Duration::ZERO, tally(1, 2, 4.0));
    let fast = done("mail", Duration::ZERO, tally(10, 20, 0.5));

    store.add_minutes(&[slow.clone(), fast]).await.unwrap();
    store.add_minutes(&[slow]).await.unwrap();
    let failed = done("mail", Duration::ZERO, failed);
    store.add_minutes(&[failed]).await.unwrap();

    let total = total(store).await;
    assert_eq!((total.completed, total.held, total.retried), (12, 24, 3));
    let rest = (total.discarded, total.cancelled, total.snoozed);
    assert_eq!(rest, (4, 5, 6));
    assert_eq!(total.attempts(), 54);
    assert_eq!((total.wait_seconds, total.run_seconds), (17.0, 8.5));
    assert_eq!(total.max_run_seconds, 4.0);
}

async fn add_up_over_sessions(store: &dyn Store) {
    let ours = done("mail", MINUTE, tally(1, 0, 1.0));
    let theirs = MinuteToAdd {
        session: SessionId(2),
        ..done("mail", MINUTE, tally(2, 1, 3.0))
    };

    store.add_minutes(&[ours, theirs]).await.unwrap();

    let listed = list(store, LONG).await;
    assert_eq!(listed.len(), 1);
    let mut both = tally(3, 1, 4.0);
    both.max_run_seconds = 3.0;
    assert_eq!(listed[0].tally, both);
}

async fn are_listed_by_time_and_kind(store: &dyn Store) {
    let added = [
        done("mail", MINUTE * 2, tally(1, 0, 0.0)),
        done("Mail", MINUTE * 2, tally(2, 0, 0.0)),
        done("Mail", MINUTE * 5, tally(3, 0, 0.0)),
        done("zip", MINUTE * 5, tally(4, 0, 0.0)),
    ];
    store.add_minutes(&added).await.unwrap();

    let listed = list(store, LONG).await;

    let order: Vec<_> = listed.iter().map(|it| it.tally.completed).collect();
    assert_eq!(order, [3, 4, 2, 1]);
}

async fn are_listed_for_as_long_as_asked(store: &dyn Store) {
    let added = [
        done("mail", MINUTE * 3, tally(1, 0, 0.0)),
        done("mail", MINUTE * 10, tally(2, 0, 0.0)),
    ];
    store.add_minutes(&added).await.unwrap();

    let none = list(store, MINUTE).await;
    let one = list(store, MINUTE * 6).await;
    let both = list(store, MINUTE * 11).await;

    assert_eq!((none.len(), one.len(), both.len()), (0, 1, 2));
}

async fn are_listed_for_all_time(store: &dyn Store) {
    let added = [done("mail", LONG * 24 * 365, tally(1, 0, 0.0))];
    store.add_minutes(&added).await.unwrap();

    let all = list(store, Duration::MAX).await;

    assert_eq!(all.len(), 1);
}

async fn are_forgotten_when_they_are_old(store: &dyn Store) {
    let added = [
        done("mail", LONG * 3, tally(1, 0, 0.0)),
        done("mail", LONG, tally(2, 0, 0.0)),
        done("mail", Duration::ZERO, tally(3, 0, 0.0)),
    ];
    store.add_minutes(&added).await.unwrap();

    let forgotten = store.forget_minutes(LONG * 2, 100).await.unwrap();
    let again = store.forget_minutes(LONG * 2, 100).await.unwrap();

    assert_eq!((forgotten, again), (1, 0));
    let left = list(store, LONG * 24).await;
    let left: Vec<_> = left.iter().map(|it| it.tally.completed).collect();
    assert_eq!(left, [2, 3]);
}

async fn are_forgotten_up_to_the_limit(store: &dyn Store) {
    let old = |kind| done(kind, LONG * 3, tally(1, 0, 0.0));
    let added = ["a", "b", "c"].map(old);
    store.add_minutes(&added).await.unwrap();

    let first = store.forget_minutes(LONG, 2).await.unwrap();
    let second = store.forget_minutes(LONG, 2).await.unwrap();

    assert_eq!((first, second), (2, 1));
}

async fn are_added_all_at_once_or_not_at_all(store: &dyn Store) {
    let kinds: Vec<String> = (0..500).map(|number| format!("kind {number}")).collect();
    let added: Vec<_> = kinds
        .iter()
        .map(|kind| done(kind, MINUTE, tally(1, 0, 0.1)))
        .collect();

    let calls = (0..4).map(|_| store.add_minutes(&added));
    let done = futures_util::future::join_all(calls).await;

    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(total(store).await.completed, 2000);
}
