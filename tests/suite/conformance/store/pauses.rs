//! Pauses: of a kind, of a queue, and of everything.

use pgqueuer::{
    Scope,
    store::{ClaimedJob, KindRecord, SessionId, Store},
};

use super::{
    super::store_cases,
    limits::{ONE_AT_A_TIME, keyed, kind, limit},
};
use crate::support::{
    claim, completed, enqueue, enqueue_many, ids, job, kind_record, open_session, settle,
};

store_cases! {
    hands_out_nothing_of_a_kind_that_is_paused,
    hands_out_nothing_of_a_queue_that_is_paused,
    hands_out_nothing_at_all_when_everything_is_paused,
    hands_out_what_waited_when_it_is_resumed,
    keeps_a_pause_of_the_queue_when_the_kind_is_resumed,
    pauses_a_kind_by_all_of_its_names,
    pauses_a_kind_with_limits,
    says_whether_that_changed_anything,
    lists_what_is_paused_and_since_when,
    lets_what_runs_go_on,
}

async fn claim_all(store: &dyn Store, session: SessionId) -> Vec<ClaimedJob> {
    claim(store, session, &["mail", "report"], 1000).await
}

async fn publish(store: &dyn Store) {
    let report = KindRecord {
        queue: "office".to_owned(),
        ..kind_record("report")
    };
    let kinds = [kind_record("mail"), report];
    store.publish_kinds(&kinds).await.unwrap();
}

async fn pause(store: &dyn Store, scope: Scope) {
    store.set_paused(&scope, true).await.unwrap();
}

async fn resume(store: &dyn Store, scope: Scope) {
    store.set_paused(&scope, false).await.unwrap();
}

fn office() -> Scope {
    Scope::Queue("office".to_owned())
}

async fn hands_out_nothing_of_a_kind_that_is_paused(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    let report = enqueue(store, job("report")).await;
    pause(store, kind("mail")).await;

    assert_eq!(ids(&claim_all(store, session).await), [report]);
}

async fn hands_out_nothing_of_a_queue_that_is_paused(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    let mail = enqueue(store, job("mail")).await;
    enqueue(store, job("report")).await;
    pause(store, office()).await;

    assert_eq!(ids(&claim_all(store, session).await), [mail]);
}

async fn hands_out_nothing_at_all_when_everything_is_paused(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    enqueue(store, job("report")).await;
    pause(store, Scope::Everything).await;

    assert_eq!(ids(&claim_all(store, session).await), []);
}

async fn hands_out_what_waited_when_it_is_resumed(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    let before = enqueue_many(store, &job("mail"), 2).await;
    let first = claim(store, session, &["mail"], 1).await;
    pause(store, kind("mail")).await;
    let meanwhile = enqueue(store, job("mail")).await;
    let none = claim_all(store, session).await;
    resume(store, kind("mail")).await;

    let rest = claim_all(store, session).await;

    assert_eq!((ids(&first), ids(&none)), (vec![before[0]], vec![]));
    assert_eq!(ids(&rest), [before[1], meanwhile]);
}

async fn keeps_a_pause_of_the_queue_when_the_kind_is_resumed(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    enqueue(store, job("report")).await;
    pause(store, office()).await;
    pause(store, kind("report")).await;
    resume(store, kind("report")).await;
    let none = claim_all(store, session).await;
    resume(store, office()).await;

    let one = claim_all(store, session).await;

    assert_eq!((none.len(), one.len()), (0, 1));
}

async fn pauses_a_kind_by_all_of_its_names(store: &dyn Store) {
    let alias = KindRecord {
        job: "mail".to_owned(),
        ..kind_record("old_mail")
    };
    let kinds = [kind_record("mail"), alias];
    store.publish_kinds(&kinds).await.unwrap();
    let session = open_session(store).await;
    enqueue(store, job("old_mail")).await;
    pause(store, kind("mail")).await;

    let claimed = claim(store, session, &["mail", "old_mail"], 10).await;

    assert_eq!(ids(&claimed), []);
}

async fn pauses_a_kind_with_limits(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    let enqueued = enqueue(store, keyed("mail", "a")).await;
    pause(store, kind("mail")).await;
    let none = claim_all(store, session).await;
    resume(store, kind("mail")).await;

    let one = claim_all(store, session).await;

    assert_eq!((ids(&none), ids(&one)), (vec![], vec![enqueued]));
}

async fn says_whether_that_changed_anything(store: &dyn Store) {
    let mail = kind("mail");
    let mut changed = Vec::new();
    for is_paused in [false, true, true, false, false] {
        changed.push(store.set_paused(&mail, is_paused).await.unwrap());
    }

    assert_eq!(changed, [false, true, false, true, false]);
}

async fn lists_what_is_paused_and_since_when(store: &dyn Store) {
    let before = store.now().await.unwrap();
    for scope in [Scope::Everything, kind("mail"), office()] {
        pause(store, scope).await;
    }
    let after = store.now().await.unwrap();
    resume(store, office()).await;

    let mut listed = store.list_limits().await.unwrap();

    listed.sort_by_key(|it| it.scope.clone());
    let scopes: Vec<_> = listed.iter().map(|it| it.scope.clone()).collect();
    assert_eq!(scopes, [Scope::Everything, kind("mail")]);
    let is_within = |it: chrono::DateTime<chrono::Utc>| before <= it && it <= after;
    assert!(listed.iter().all(|it| it.paused_at.is_some_and(is_within)));
}

async fn lets_what_runs_go_on(store: &dyn Store) {
    publish(store).await;
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    let claimed = claim_all(store, session).await;
    pause(store, kind("mail")).await;

    let refused = settle(store, session, &[completed(&claimed[0])]).await;

    assert_eq!(refused, []);
}
