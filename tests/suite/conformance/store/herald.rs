//! Telling those who wait which jobs have ended.

use pgqueuer::{
    JobFilter, JobId,
    store::{Herald, News, Place, Store},
};

use super::super::store_cases;
use crate::support::{
    LONG, again, completed, enqueue, expire, held, job, kind_record, open_session, running_job,
    settle,
};

store_cases! {
    not_pooled("LISTEN"):
    tells_of_kinds_that_are_awaited,
    tells_when_a_person_ends_a_job,
    tells_when_a_dead_worker_has_used_up_a_job,
}

/// Waits for news of these jobs, and of no others.
async fn hear(herald: &mut dyn Herald, mut expected: Vec<JobId>) {
    while !expected.is_empty() {
        match herald.heard().await {
            News::Ended(ids) => {
                for id in ids {
                    let place = expected.iter().position(|it| *it == id);
                    expected.remove(place.expect("it has ended"));
                }
            }
            News::Anything => panic!("the connection was not lost"),
        }
    }
}

async fn tells_of_kinds_that_are_awaited(store: &dyn Store) {
    let session = open_session(store).await;
    let kinds = ["mail".to_owned(), "call".to_owned()];
    let watcher = store.await_kinds(None, &kinds, LONG).await.unwrap();
    assert_eq!(
        store
            .await_kinds(Some(watcher), &kinds, LONG)
            .await
            .unwrap(),
        watcher
    );
    let mut herald = store.herald().await.unwrap();
    let mut ids = Vec::new();
    let mut settlements = Vec::new();
    // More than one notification has room for.
    for number in 0..800 {
        let mut claimed = running_job(store, session, ["mail", "call"][number % 2]).await;
        ids.push(claimed.key.id);
        claimed.place = Place::default();
        settlements.push(completed(&claimed));
    }
    let kept = running_job(store, session, "mail").await;
    settlements.push(again(&kept, LONG));
    let last = running_job(store, session, "mail").await;
    ids.push(last.key.id);
    settlements.push(held(&last));
    settle(store, session, &settlements).await;
    hear(&mut *herald, ids).await;
}

async fn tells_when_a_person_ends_a_job(store: &dyn Store) {
    store
        .await_kinds(None, &["mail".to_owned()], LONG)
        .await
        .unwrap();
    let session = open_session(store).await;
    let mut herald = store.herald().await.unwrap();
    let cancelled = enqueue(store, job("mail")).await;
    let filter = JobFilter::ids([cancelled]);
    store
        .cancel(&filter, "spam", JobId::from(0), 10)
        .await
        .unwrap();
    hear(&mut *herald, vec![cancelled]).await;

    let claimed = running_job(store, session, "mail").await;
    let id = claimed.key.id;
    settle(store, session, &[held(&claimed)]).await;
    hear(&mut *herald, vec![id]).await;
    let filter = JobFilter::ids([id]);
    store.discard(&filter, JobId::from(0), 10).await.unwrap();
    hear(&mut *herald, vec![id]).await;
}

async fn tells_when_a_dead_worker_has_used_up_a_job(store: &dyn Store) {
    for on_failure in ["hold", "discard"] {
        let mut kind = kind_record(on_failure);
        kind.on_failure = on_failure.to_owned();
        kind.max_attempts = 1;
        store.publish_kinds(&[kind]).await.unwrap();
    }
    let kinds = ["hold".to_owned(), "discard".to_owned()];
    store.await_kinds(None, &kinds, LONG).await.unwrap();
    let mut herald = store.herald().await.unwrap();
    let dead = open_session(store).await;
    let held = running_job(store, dead, "hold").await.key.id;
    let discarded = running_job(store, dead, "discard").await.key.id;
    expire(store, dead).await;
    store.rescue().await.unwrap();
    hear(&mut *herald, vec![held, discarded]).await;
}
