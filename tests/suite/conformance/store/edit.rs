//! Changing jobs that are held or scheduled, and counting those that are meant.

use chrono::TimeDelta;
use pgqueuer::{
    Codec, Edit, JobFilter, Meant, Payload, Requeue,
    store::{JobState, JobToEnqueue, KindRecord, RunAt, Store},
};

use super::{
    super::store_cases,
    operate::{held_job, none, scheduled_job, some},
};
use crate::support::{
    LONG, claim, enqueue, enqueue_many, ids, job, kind_record, open_session, record, running_job,
    seconds_from_now, state, wait_until,
};

store_cases! {
    changes_a_held_job_and_leaves_it_held,
    moves_only_what_is_scheduled,
    makes_a_scheduled_job_due_now,
    lets_the_key_for_limits_go_with_the_arguments,
    passes_by_what_is_available_or_runs,
    edits_some_at_a_time,
    counts_what_is_meant_by_kind_and_state,
}

async fn edit(store: &dyn Store, filter: &JobFilter, edit: &Edit) -> u64 {
    store.edit(filter, edit, none(), 1000).await.unwrap().done
}

fn json(text: &str) -> Payload {
    Payload {
        codec: Codec::Json,
        bytes: text.as_bytes().to_vec(),
    }
}

async fn changes_a_held_job_and_leaves_it_held(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let before = record(store, held).await;
    let change = Edit::new().payload(json("{}")).priority(-3);

    assert_eq!(edit(store, &JobFilter::ids([held]), &change).await, 1);

    let after = record(store, held).await;
    assert_eq!(after.state, JobState::Held);
    assert_eq!((&after.payload, after.priority), (&Some(json("{}")), -3));
    assert_eq!(after.failures, before.failures);
    assert_eq!(after.attempt, before.attempt);
    // What was changed is what runs, in a lane that nobody has used before.
    let (filter, how) = (JobFilter::ids([held]), Requeue::now());
    store.requeue(&filter, &how, none(), 10).await.unwrap();
    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!((ids(&claimed), claimed[0].priority), (vec![held], -3));
}

async fn moves_only_what_is_scheduled(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let scheduled = scheduled_job(store).await;
    let time = seconds_from_now(store, 90_000).await;

    assert_eq!(edit(store, &some("mail"), &Edit::new().at(time)).await, 1);

    assert_eq!(record(store, scheduled).await.run_at, Some(time));
    assert_eq!(state(store, held).await, JobState::Held);
    let later = Edit::new().after(LONG * 2);
    assert_eq!(edit(store, &some("mail"), &later).await, 1);
    let wait = record(store, scheduled).await.run_at.unwrap() - store.now().await.unwrap();
    assert!(wait > TimeDelta::minutes(119), "{wait}");
}

async fn makes_a_scheduled_job_due_now(store: &dyn Store) {
    let session = open_session(store).await;
    let scheduled = scheduled_job(store).await;
    let now = store.now().await.unwrap();
    let change = Edit::new().at(now).priority(4);

    edit(store, &JobFilter::ids([scheduled]), &change).await;

    wait_until(store, now).await;
    assert_eq!(store.promote(10).await.unwrap().promoted, 1);
    assert_eq!(
        ids(&claim(store, session, &["mail"], 10).await),
        [scheduled]
    );
}

async fn lets_the_key_for_limits_go_with_the_arguments(store: &dyn Store) {
    let keyed = KindRecord {
        limit_by: vec!["customer".to_owned()],
        ..kind_record("mail")
    };
    store.publish_kinds(&[keyed]).await.unwrap();
    let of_seven = JobToEnqueue {
        run_at: RunAt::After(LONG),
        limit_key: Some("7".to_owned()),
        ..job("mail")
    };
    let scheduled = enqueue(store, of_seven).await;

    let change = Edit::new().payload(json(r#"{"customer": 8}"#));
    edit(store, &some("mail"), &change).await;

    let found = async |key: &str| {
        let filter = some("mail").limit_key(key);
        let listed = store.list_jobs(&filter, none(), 10).await.unwrap();
        listed.iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(found("8").await, [scheduled]);
    assert_eq!(found("7").await, []);
    // Of other arguments than JSON, nobody here knows.
    let framed = Payload {
        codec: Codec::Framed,
        bytes: vec![1],
    };
    edit(store, &some("mail"), &Edit::new().payload(framed)).await;
    assert_eq!(found("8").await, [scheduled]);
}

async fn passes_by_what_is_available_or_runs(store: &dyn Store) {
    let session = open_session(store).await;
    let running = running_job(store, session, "mail").await;
    let waiting = enqueue(store, job("mail")).await;

    let change = Edit::new().priority(9);
    assert_eq!(edit(store, &some("mail"), &change).await, 0);

    assert_eq!(record(store, running.key.id).await.priority, 0);
    assert_eq!(record(store, waiting).await.priority, 0);
}

async fn edits_some_at_a_time(store: &dyn Store) {
    let later = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    let all = enqueue_many(store, &later, 3).await;
    let change = Edit::new().priority(9);

    let first = store.edit(&some("mail"), &change, none(), 2).await.unwrap();
    assert_eq!((first.done, first.last), (2, Some(all[1])));
    assert_eq!(record(store, all[2]).await.priority, 0);
    let second = store.edit(&some("mail"), &change, all[1], 2).await.unwrap();
    assert_eq!((second.done, second.last), (1, Some(all[2])));
    let none_left = store.edit(&some("mail"), &change, all[2], 2).await.unwrap();
    assert_eq!((none_left.done, none_left.last), (0, None));
}

async fn counts_what_is_meant_by_kind_and_state(store: &dyn Store) {
    let session = open_session(store).await;
    held_job(store, session, "mail").await;
    running_job(store, session, "mail").await;
    enqueue_many(store, &job("mail"), 3).await;
    scheduled_job(store).await;
    enqueue(store, job("report")).await;

    let counted = async |filter: &JobFilter, limit| {
        let counted = store.count_meant(filter, limit).await.unwrap();
        let count = |it: Meant| (it.kind, it.state.as_str(), it.jobs);
        counted.into_iter().map(count).collect::<Vec<_>>()
    };
    let mail = |state, jobs| ("mail".to_owned(), state, jobs);
    let of_mail = [
        mail("available", 3),
        mail("held", 1),
        mail("running", 1),
        mail("scheduled", 1),
    ];
    assert_eq!(counted(&some("mail"), 100).await, of_mail);
    let all = counted(&JobFilter::all(), 100).await;
    assert_eq!(all[4], ("report".to_owned(), "available", 1));
    assert_eq!(
        counted(&JobFilter::all(), 2)
            .await
            .iter()
            .map(|it| it.2)
            .sum::<u64>(),
        2
    );
    assert_eq!(counted(&some("nothing"), 100).await, []);
}
