//! What workers publish about their kinds.

use std::slice;

use pgqueuer::store::{KindRecord, Store};

use super::super::store_cases;
use crate::support::kind_record;

store_cases! {
    are_published_and_listed_by_name,
    are_replaced_when_they_are_published_again,
    that_are_not_published_again_stay,
    may_be_none,
    may_be_published_by_many_at_once,
}

async fn are_published_and_listed_by_name(store: &dyn Store) {
    let whole = KindRecord {
        kind: "send_welcome".to_owned(),
        queue: "mail".to_owned(),
        priority: -5,
        max_attempts: 32_767,
        on_failure: "discard".to_owned(),
        retain_seconds: 100 * 365 * 24 * 60 * 60,
        arguments: serde_json::json!([{"name": "user_id", "type": "i64"}]),
        source: "src/mail.rs:17".to_owned(),
        job: "new_mail".to_owned(),
        limit_by: vec!["user_id".to_owned(), "a \"b\", c".to_owned()],
        unique_by: Some(vec!["user_id".to_owned()]),
        unique_millis: Some(1500),
    };

    let published = [whole.clone(), kind_record("cleanup")];
    store.publish_kinds(&published).await.unwrap();

    let listed = store.list_kinds().await.unwrap();
    assert_eq!(listed, [kind_record("cleanup"), whole]);
}

async fn are_replaced_when_they_are_published_again(store: &dyn Store) {
    let changed = KindRecord {
        max_attempts: 9,
        ..kind_record("mail")
    };
    store.publish_kinds(&[kind_record("mail")]).await.unwrap();

    store
        .publish_kinds(slice::from_ref(&changed))
        .await
        .unwrap();

    assert_eq!(store.list_kinds().await.unwrap(), [changed]);
}

async fn that_are_not_published_again_stay(store: &dyn Store) {
    store.publish_kinds(&[kind_record("mail")]).await.unwrap();

    store.publish_kinds(&[kind_record("report")]).await.unwrap();

    assert_eq!(store.list_kinds().await.unwrap().len(), 2);
}

async fn may_be_none(store: &dyn Store) {
    store.publish_kinds(&[]).await.unwrap();

    assert_eq!(store.list_kinds().await.unwrap(), []);
}

async fn may_be_published_by_many_at_once(store: &dyn Store) {
    let forth: Vec<KindRecord> = ["a", "b", "c", "d"].map(kind_record).into();
    let back: Vec<KindRecord> = forth.iter().rev().cloned().collect();

    let publishing = (0..8).map(|it| store.publish_kinds(if it % 2 == 0 { &forth } else { &back }));
    let published = futures_util::future::join_all(publishing).await;

    assert!(published.iter().all(Result::is_ok), "{published:?}");
    assert_eq!(store.list_kinds().await.unwrap(), forth);
}
