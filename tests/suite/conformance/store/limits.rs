//! Concurrency across the fleet: of a kind, of a queue, and of each key.

use std::time::Duration;

use pgqueuer::{
    LimitRecord, Limits, Scope, SetLimit,
    store::{
        ClaimRequest, Claimed, ClaimedJob, Ending, JobToEnqueue, KindRecord, Look, SessionId, Store,
    },
};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, completed, ended, enqueue, enqueue_many, expire, given_back, held, ids,
    job, kind_record, open_session, settle,
};

store_cases! {
    hands_out_no_more_than_the_limit,
    hands_out_more_when_some_have_ended,
    counts_what_other_sessions_run,
    counts_a_kind_by_all_of_its_names,
    frees_the_slots_of_a_dead_session,
    frees_the_slot_of_a_job_that_is_tried_again_or_held,
    says_that_something_is_held_back,
    leaves_kinds_without_limits_alone,
    limits_a_queue,
    takes_urgent_jobs_first_whatever_the_limits,
    holds_limits_that_are_set_and_reset,
    says_whether_the_code_has_changed,
    lets_no_code_undo_what_was_set,
    counts_in_what_ran_before_there_was_a_limit,
}

pub(super) const ONE_AT_A_TIME: Limits = Limits {
    concurrency_per_key: Some(1),
    ..Limits::NONE
};

pub(super) fn at_most(concurrency: u32) -> Limits {
    Limits {
        concurrency: Some(concurrency),
        ..Limits::NONE
    }
}

pub(super) fn kind(name: &str) -> Scope {
    Scope::Kind(name.to_owned())
}

/// Publishes the kind with these limits.
pub(super) async fn limit(store: &dyn Store, name: &str, limits: Limits) {
    store.publish_kinds(&[kind_record(name)]).await.unwrap();
    store.publish_limits(&[(kind(name), limits)]).await.unwrap();
}

pub(super) fn keyed(name: &'static str, key: &str) -> JobToEnqueue {
    JobToEnqueue {
        limit_key: Some(key.to_owned()),
        ..job(name)
    }
}

pub(super) async fn look(store: &dyn Store, session: SessionId, kinds: &[&str]) -> Claimed {
    let request = ClaimRequest {
        session,
        kinds,
        limit: 1000,
        bounds: &[],
        look: Look::Everywhere,
        has_freed: false,
    };
    store.claim(&request).await.unwrap()
}

pub(super) async fn claim_mail(store: &dyn Store, session: SessionId) -> Vec<ClaimedJob> {
    claim(store, session, &["mail"], 1000).await
}

async fn hands_out_no_more_than_the_limit(store: &dyn Store) {
    limit(store, "mail", at_most(3)).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 10).await;

    let first = claim_mail(store, session).await;
    let second = claim_mail(store, session).await;

    assert_eq!(ids(&first), enqueued[..3]);
    assert_eq!(ids(&second), []);
    assert!(first.iter().all(|it| it.is_limited));
}

async fn hands_out_more_when_some_have_ended(store: &dyn Store) {
    limit(store, "mail", at_most(3)).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 10).await;
    let first = claim_mail(store, session).await;
    let unrecorded = ended(&first[1], Ending::Completed, Duration::ZERO);
    settle(store, session, &[completed(&first[0]), unrecorded]).await;

    let next = claim_mail(store, session).await;

    assert_eq!(ids(&next), enqueued[3..5]);
}

async fn counts_what_other_sessions_run(store: &dyn Store) {
    limit(store, "mail", at_most(3)).await;
    let (one, other) = (open_session(store).await, open_session(store).await);
    enqueue_many(store, &job("mail"), 10).await;
    claim(store, one, &["mail"], 2).await;

    let claimed = claim_mail(store, other).await;

    assert_eq!(claimed.len(), 1);
}

async fn counts_a_kind_by_all_of_its_names(store: &dyn Store) {
    let alias = KindRecord {
        job: "mail".to_owned(),
        ..kind_record("old_mail")
    };
    limit(store, "mail", at_most(3)).await;
    store.publish_kinds(&[alias]).await.unwrap();
    let session = open_session(store).await;
    enqueue_many(store, &job("old_mail"), 2).await;
    enqueue_many(store, &job("mail"), 10).await;
    claim(store, session, &["old_mail"], 1000).await;

    let claimed = claim_mail(store, session).await;

    assert_eq!(claimed.len(), 1);
}

async fn frees_the_slots_of_a_dead_session(store: &dyn Store) {
    limit(store, "mail", at_most(3)).await;
    let (dead, alive) = (open_session(store).await, open_session(store).await);
    enqueue_many(store, &job("mail"), 10).await;
    claim_mail(store, dead).await;
    expire(store, dead).await;
    let before = claim_mail(store, alive).await;
    store.rescue().await.unwrap();

    let after = claim_mail(store, alive).await;

    assert_eq!(ids(&before), []);
    assert_eq!(after.len(), 3);
}

async fn frees_the_slot_of_a_job_that_is_tried_again_or_held(store: &dyn Store) {
    limit(store, "mail", at_most(3)).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &job("mail"), 10).await;
    let first = claim_mail(store, session).await;
    let results = [
        again(&first[0], LONG),
        held(&first[1]),
        given_back(&first[2], LONG),
    ];
    settle(store, session, &results).await;

    let next = claim_mail(store, session).await;

    assert_eq!(ids(&next), enqueued[3..6]);
}

async fn says_that_something_is_held_back(store: &dyn Store) {
    limit(store, "mail", at_most(1)).await;
    let session = open_session(store).await;

    let nothing = look(store, session, &["mail"]).await;
    enqueue(store, job("mail")).await;
    let all = look(store, session, &["mail"]).await;
    enqueue(store, job("mail")).await;
    let none = look(store, session, &["mail"]).await;

    assert_eq!((nothing.jobs.len(), nothing.held_back), (0, None));
    assert_eq!((all.jobs.len(), all.held_back), (1, None));
    assert_eq!(none.jobs.len(), 0);
    assert!(none.held_back.is_some());
}

async fn leaves_kinds_without_limits_alone(store: &dyn Store) {
    limit(store, "mail", at_most(1)).await;
    limit(store, "report", Limits::NONE).await;
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 5).await;
    enqueue_many(store, &job("report"), 5).await;

    let claimed = look(store, session, &["mail", "report"]).await.jobs;

    let reports: Vec<_> = claimed.iter().filter(|it| it.kind == "report").collect();
    assert_eq!((claimed.len(), reports.len()), (6, 5));
    assert!(reports.iter().all(|it| !it.is_limited));
}

async fn limits_a_queue(store: &dyn Store) {
    let in_queue = |name: &str| KindRecord {
        queue: "office".to_owned(),
        ..kind_record(name)
    };
    let kinds = [in_queue("mail"), in_queue("report")];
    store.publish_kinds(&kinds).await.unwrap();
    let office = Scope::Queue("office".to_owned());
    store.publish_limits(&[(office, at_most(3))]).await.unwrap();
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 2).await;
    enqueue_many(store, &job("report"), 5).await;
    let mails = claim_mail(store, session).await;

    let reports = claim(store, session, &["report"], 1000).await;

    assert_eq!((mails.len(), reports.len()), (2, 1));
}

async fn takes_urgent_jobs_first_whatever_the_limits(store: &dyn Store) {
    limit(store, "mail", at_most(5)).await;
    limit(store, "report", Limits::NONE).await;
    let session = open_session(store).await;
    let urgent = |name| JobToEnqueue {
        priority: 9,
        ..job(name)
    };
    enqueue(store, job("mail")).await;
    enqueue(store, job("report")).await;
    let report = enqueue(store, urgent("report")).await;
    let mail = enqueue(store, urgent("mail")).await;

    let mut claimed = ids(&claim(store, session, &["mail", "report"], 2).await);

    claimed.sort_unstable();
    assert_eq!(claimed, [report, mail]);
}

async fn holds_limits_that_are_set_and_reset(store: &dyn Store) {
    limit(store, "mail", at_most(5)).await;
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 20).await;
    let mail = kind("mail");

    let set = [SetLimit::Concurrency(Some(2))];
    store.set_limits(&mail, Some(&set)).await.unwrap();
    let two = claim_mail(store, session).await;
    let set = [SetLimit::Concurrency(None)];
    store.set_limits(&mail, Some(&set)).await.unwrap();
    let ten = claim(store, session, &["mail"], 10).await;
    store.set_limits(&mail, None).await.unwrap();
    let none = claim_mail(store, session).await;

    assert_eq!((two.len(), ten.len(), none.len()), (2, 10, 0));
    let listed = store.list_limits().await.unwrap();
    let record = LimitRecord {
        scope: mail,
        limits: at_most(5),
        of_code: at_most(5),
        paused_at: None,
    };
    assert_eq!(listed, [record]);
}

async fn says_whether_the_code_has_changed(store: &dyn Store) {
    let mail = kind("mail");
    let mut changed = Vec::new();
    for limits in [
        Limits::NONE,
        at_most(5),
        at_most(5),
        at_most(6),
        Limits::NONE,
    ] {
        changed.push(
            store
                .publish_limits(&[(mail.clone(), limits)])
                .await
                .unwrap(),
        );
    }

    assert_eq!(changed, [false, true, false, true, true]);
    assert_eq!(store.list_limits().await.unwrap(), []);
}

async fn lets_no_code_undo_what_was_set(store: &dyn Store) {
    limit(store, "mail", at_most(5)).await;
    let mail = kind("mail");
    let set = [
        SetLimit::Concurrency(Some(2)),
        SetLimit::Rate(Some("10/min burst 5".parse().unwrap())),
    ];
    store.set_limits(&mail, Some(&set)).await.unwrap();

    limit(store, "mail", at_most(7)).await;

    let listed = store.list_limits().await.unwrap();
    let in_force = Limits {
        rate: Some("10/min burst 5".parse().unwrap()),
        ..at_most(2)
    };
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].limits, listed[0].of_code),
        (in_force, at_most(7))
    );
}

async fn counts_in_what_ran_before_there_was_a_limit(store: &dyn Store) {
    limit(store, "mail", Limits::NONE).await;
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 10).await;
    let before = claim(store, session, &["mail"], 4).await;
    let set = [SetLimit::Concurrency(Some(5))];
    store.set_limits(&kind("mail"), Some(&set)).await.unwrap();

    let claimed = claim_mail(store, session).await;

    assert_eq!((before.len(), claimed.len()), (4, 1));
}
