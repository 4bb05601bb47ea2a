//! Listing and cancelling.

use std::time::Duration;

use pgqueuer::{
    Cancelled, FailureReason, JobFilter, JobId, OnConflict, Unique, UniqueFor,
    store::{Ending, JobState, JobToEnqueue, KindRecord, RunAt, SessionId, Step, Store},
};

use super::{
    super::store_cases,
    limits::{ONE_AT_A_TIME, keyed, limit},
};
use crate::support::{
    LONG, again, claim, completed, ended, enqueue, enqueue_many, expire, given_back, held, ids,
    job, kind_record, open_session, record, running_job, settle, state,
};

store_cases! {
    lists_what_is_meant,
    lists_page_by_page,
    cancels_what_waits_at_once,
    keeps_a_record_of_what_was_cancelled,
    cancels_some_at_a_time,
    tells_who_runs_what_is_cancelled,
    ends_as_cancelled_whatever_the_handler_says,
    ends_what_is_cancelled_when_it_would_run_again,
    ends_what_is_cancelled_when_its_worker_is_dead,
    cancels_nothing_twice,
    lets_the_next_of_a_key_run,
}

/// Below all ids.
pub(super) fn none() -> JobId {
    JobId::from(i64::MIN)
}

pub(super) fn some(kind: &str) -> JobFilter {
    JobFilter::kind(kind)
}

async fn cancel(store: &dyn Store, filter: &JobFilter) -> Cancelled {
    let step = store
        .cancel(filter, "a mistake", none(), 1000)
        .await
        .unwrap();
    step.done
}

/// A job that was tried once, and is held.
pub(super) async fn held_job(store: &dyn Store, session: SessionId, kind: &'static str) -> JobId {
    let claimed = running_job(store, session, kind).await;
    settle(store, session, &[held(&claimed)]).await;
    claimed.key.id
}

pub(super) async fn scheduled_job(store: &dyn Store) -> JobId {
    let later = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    enqueue(store, later).await
}

async fn lists_what_is_meant(store: &dyn Store) {
    let in_office = KindRecord {
        queue: "office".to_owned(),
        ..kind_record("report")
    };
    store.publish_kinds(&[in_office]).await.unwrap();
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let running = running_job(store, session, "mail").await.key.id;
    let scheduled = scheduled_job(store).await;
    let waiting = enqueue(store, job("mail")).await;
    let report = enqueue(store, job("report")).await;
    let with_key = enqueue(store, keyed("letter", "\"a\"")).await;
    let between = store.now().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    let unique = Unique {
        key: "k".to_owned(),
        lasts: UniqueFor::Unfinished,
        on_conflict: OnConflict::Skip,
    };
    let unique = store
        .enqueue_unique(&[(job("letter"), Some(unique))])
        .await
        .unwrap()[0]
        .id;

    let cases = [
        (
            JobFilter::all(),
            vec![held, running, scheduled, waiting, report, with_key, unique],
        ),
        (some("mail"), vec![held, running, scheduled, waiting]),
        (some("mail").state(JobState::Held), vec![held]),
        (some("mail").state(JobState::Running), vec![running]),
        (
            some("mail")
                .state(JobState::Scheduled)
                .state(JobState::Available),
            vec![scheduled, waiting],
        ),
        (JobFilter::queue("office"), vec![report]),
        (JobFilter::queue("office").of_kind("mail"), vec![]),
        (JobFilter::ids([waiting, held]), vec![held, waiting]),
        (JobFilter::ids([0; 0]), vec![]),
        (some("letter").limit_key("\"a\""), vec![with_key]),
        (some("letter").unique_key("k"), vec![unique]),
        (some("letter").enqueued_before(between), vec![with_key]),
        (some("letter").enqueued_since(between), vec![unique]),
        (some("nothing"), vec![]),
    ];
    for (filter, expected) in cases {
        let listed = store.list_jobs(&filter, none(), 100).await.unwrap();
        let listed: Vec<JobId> = listed.iter().map(|it| it.id).collect();
        assert_eq!(listed, expected, "{filter:?}");
    }
    let listed = store
        .list_jobs(&JobFilter::ids([running]), none(), 1)
        .await
        .unwrap();
    assert_eq!(listed, [record(store, running).await]);
}

async fn lists_page_by_page(store: &dyn Store) {
    let all = enqueue_many(store, &job("mail"), 5).await;
    let mut listed = Vec::new();
    let mut above = none();
    loop {
        let page = store.list_jobs(&some("mail"), above, 2).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        above = last.id;
        listed.extend(page.iter().map(|it| it.id));
    }
    assert_eq!(listed, all);
}

async fn cancels_what_waits_at_once(store: &dyn Store) {
    let session = open_session(store).await;
    let held = held_job(store, session, "mail").await;
    let scheduled = scheduled_job(store).await;
    let waiting = enqueue(store, job("mail")).await;
    let other = enqueue(store, job("report")).await;

    let done = cancel(store, &some("mail")).await;

    let expected = Cancelled {
        waiting: 3,
        running: 0,
    };
    assert_eq!(done, expected);
    for id in [held, scheduled, waiting] {
        assert_eq!(state(store, id).await, JobState::Cancelled);
    }
    assert_eq!(
        ids(&claim(store, session, &["mail", "report"], 10).await),
        [other]
    );
}

async fn keeps_a_record_of_what_was_cancelled(store: &dyn Store) {
    let forgetful = KindRecord {
        retain_seconds: 0,
        ..kind_record("report")
    };
    store
        .publish_kinds(&[kind_record("mail"), forgetful])
        .await
        .unwrap();
    let [mail, report, unknown] = [
        enqueue(store, job("mail")).await,
        enqueue(store, job("report")).await,
        enqueue(store, job("letter")).await,
    ];

    cancel(store, &JobFilter::all()).await;

    let record = record(store, mail).await;
    let failure = record.failures.last().unwrap();
    assert_eq!(
        (failure.reason, failure.message.as_str()),
        (FailureReason::Cancelled, "a mistake")
    );
    assert!(record.finished_at.is_some() && record.payload.is_none());
    assert_eq!(store.get_job(report).await.unwrap(), None);
    assert_eq!(state(store, unknown).await, JobState::Cancelled);
}

async fn cancels_some_at_a_time(store: &dyn Store) {
    let all = enqueue_many(store, &job("mail"), 3).await;

    let first = store.cancel(&some("mail"), "", none(), 2).await.unwrap();
    let second = store.cancel(&some("mail"), "", all[1], 2).await.unwrap();
    let third = store.cancel(&some("mail"), "", all[2], 2).await.unwrap();

    let step = |waiting, last| Step {
        done: Cancelled {
            waiting,
            running: 0,
        },
        last,
    };
    assert_eq!(
        [first, second, third],
        [step(2, Some(all[1])), step(1, Some(all[2])), step(0, None)]
    );
}

async fn tells_who_runs_what_is_cancelled(store: &dyn Store) {
    let (one, other) = (open_session(store).await, open_session(store).await);
    let mine = running_job(store, one, "mail").await;
    let theirs = running_job(store, other, "report").await;

    let done = cancel(store, &some("mail")).await;

    assert_eq!((done.waiting, done.running), (0, 1));
    let told = store.cancelled(one).await.unwrap();
    assert_eq!(told, [(mine.key, "a mistake".to_owned())]);
    assert_eq!(store.cancelled(other).await.unwrap(), []);
    assert_eq!(state(store, mine.key.id).await, JobState::Running);
    assert_eq!(settle(store, other, &[completed(&theirs)]).await, []);
}

async fn ends_as_cancelled_whatever_the_handler_says(store: &dyn Store) {
    let session = open_session(store).await;
    let (done, discarded) = (
        running_job(store, session, "mail").await,
        running_job(store, session, "mail").await,
    );
    cancel(store, &some("mail")).await;

    let results = [completed(&done), ended(&discarded, Ending::Discarded, LONG)];
    let refused = settle(store, session, &results).await;

    assert_eq!(refused, []);
    for job in [done, discarded] {
        assert_eq!(state(store, job.key.id).await, JobState::Cancelled);
    }
    assert_eq!(store.cancelled(session).await.unwrap(), []);
}

async fn ends_what_is_cancelled_when_it_would_run_again(store: &dyn Store) {
    let session = open_session(store).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(running_job(store, session, "mail").await);
    }
    cancel(store, &some("mail")).await;
    let results = [
        again(&running[0], LONG),
        held(&running[1]),
        given_back(&running[2], LONG),
    ];
    settle(store, session, &results).await;

    let mut claimed = claim(store, session, &["mail"], 10).await;

    claimed.sort_by_key(|it| it.key.id);
    assert_eq!(
        ids(&claimed),
        running.iter().map(|it| it.key.id).collect::<Vec<_>>()
    );
    assert!(
        claimed
            .iter()
            .all(|it| it.cancel_reason.as_deref() == Some("a mistake"))
    );
}

async fn ends_what_is_cancelled_when_its_worker_is_dead(store: &dyn Store) {
    let last_attempt = KindRecord {
        max_attempts: 1,
        ..kind_record("mail")
    };
    store.publish_kinds(&[last_attempt]).await.unwrap();
    let (dead, alive) = (open_session(store).await, open_session(store).await);
    let running = running_job(store, dead, "mail").await;
    cancel(store, &some("mail")).await;
    expire(store, dead).await;
    store.rescue().await.unwrap();

    let claimed = claim(store, alive, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [running.key.id]);
    assert_eq!(claimed[0].cancel_reason.as_deref(), Some("a mistake"));
}

async fn cancels_nothing_twice(store: &dyn Store) {
    let session = open_session(store).await;
    running_job(store, session, "mail").await;
    enqueue(store, job("mail")).await;

    let [first, second] = [
        cancel(store, &some("mail")).await,
        cancel(store, &some("mail")).await,
    ];

    assert_eq!((first.waiting, first.running), (1, 1));
    assert_eq!(second, Cancelled::default());
}

async fn lets_the_next_of_a_key_run(store: &dyn Store) {
    limit(store, "mail", ONE_AT_A_TIME).await;
    let session = open_session(store).await;
    let enqueued = enqueue_many(store, &keyed("mail", "a"), 2).await;
    let first = claim(store, session, &["mail"], 10).await;
    settle(store, session, &[again(&first[0], LONG)]).await;
    let before = claim(store, session, &["mail"], 10).await;
    cancel(store, &JobFilter::ids([enqueued[0]])).await;

    let after = claim(store, session, &["mail"], 10).await;

    assert_eq!((ids(&before), ids(&after)), (vec![], vec![enqueued[1]]));
}
