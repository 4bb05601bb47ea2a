//! Handing out jobs.

use std::{collections::BTreeSet, time::Duration};

use pgqueuer::{
    JobId,
    store::{JobState, JobToEnqueue, RunAt, Store},
};

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{
        LONG, again, claim, claim_onward, completed, enqueue, enqueue_many, expire, given_back,
        held, ids, job, open_session, record, running_job, settle, state,
    },
};

store_cases! {
    prefers_higher_priority,
    prefers_higher_priority_of_any_kind,
    keeps_the_order_of_enqueueing,
    takes_only_the_wanted_kinds,
    takes_nothing_without_kinds,
    takes_no_more_than_the_limit,
    takes_nothing_with_a_limit_of_zero,
    takes_nothing_from_an_empty_queue,
    empties_all_kinds_of_one_priority,
    fills_up_with_lower_priorities,
    never_hands_out_a_job_twice,
    never_hands_one_job_to_two_of_many,
    counts_the_attempt,
    counts_claims_even_if_the_attempt_is_given_back,
    stamps_the_beginning_of_the_attempt,
    leaves_scheduled_jobs,
    leaves_held_jobs,
    finds_what_an_expired_lease_kept_it_from,
}

// Memory looks at every job, and keeps the order of enqueueing across kinds. PostgreSQL takes
// turns, because it claims by kind, and reads no more than it claims.
postgres_only! {
    on_postgres:
    takes_turns_among_kinds_of_one_priority,
}

async fn prefers_higher_priority(store: &dyn Store) {
    let session = open_session(store).await;
    let [low, high, middle] = [1, 9, 5].map(|priority| JobToEnqueue {
        priority,
        ..job("mail")
    });
    let low = enqueue(store, low).await;
    let high = enqueue(store, high).await;
    let middle = enqueue(store, middle).await;

    let claimed = claim(store, session, &["mail"], 3).await;

    assert_eq!(ids(&claimed), [high, middle, low]);
}

async fn prefers_higher_priority_of_any_kind(store: &dyn Store) {
    let session = open_session(store).await;
    let urgent = |kind| JobToEnqueue {
        priority: 9,
        ..job(kind)
    };
    let last = enqueue(store, job("mail")).await;
    let first = enqueue(store, urgent("report")).await;
    let second = enqueue(store, urgent("mail")).await;

    let best = claim(store, session, &["mail", "report"], 2).await;
    let rest = claim(store, session, &["mail", "report"], 2).await;

    assert_eq!(BTreeSet::from_iter(ids(&best)), [first, second].into());
    assert_eq!(ids(&rest), [last]);
}

async fn keeps_the_order_of_enqueueing(store: &dyn Store) {
    let session = open_session(store).await;
    let mut enqueued = Vec::new();
    for _ in 0..20 {
        enqueued.push(enqueue(store, job("mail")).await);
    }

    let mut claimed = ids(&claim(store, session, &["mail"], 7).await);
    claimed.extend(ids(&claim(store, session, &["mail"], 100).await));

    assert_eq!(claimed, enqueued);
}

async fn takes_only_the_wanted_kinds(store: &dyn Store) {
    let session = open_session(store).await;
    let other = enqueue(store, job("report")).await;
    let wanted = enqueue(store, job("mail")).await;
    let similar = enqueue(store, job("mail_again")).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(ids(&claimed), [wanted]);
    assert_eq!(state(store, other).await, JobState::Available);
    assert_eq!(state(store, similar).await, JobState::Available);
}

async fn takes_nothing_without_kinds(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;

    let claimed = claim(store, session, &[], 10).await;

    assert_eq!(claimed, []);
}

async fn takes_no_more_than_the_limit(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 5).await;
    enqueue_many(store, &job("report"), 5).await;

    let claimed = claim(store, session, &["mail", "report"], 7).await;

    assert_eq!(claimed.len(), 7);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 3);
}

async fn takes_nothing_with_a_limit_of_zero(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;

    let claimed = claim(store, session, &["mail"], 0).await;

    assert_eq!(claimed, []);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 1);
}

async fn takes_nothing_from_an_empty_queue(store: &dyn Store) {
    let session = open_session(store).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(claimed, []);
}

async fn empties_all_kinds_of_one_priority(store: &dyn Store) {
    const KINDS: [&str; 3] = ["mail", "report", "cleanup"];
    let session = open_session(store).await;
    let mut enqueued = BTreeSet::new();
    for kind in KINDS {
        enqueued.extend(enqueue_many(store, &job(kind), 4).await);
    }

    let mut claimed = BTreeSet::new();
    for _ in 0..12 {
        claimed.extend(ids(&claim(store, session, &KINDS, 1).await));
    }

    assert_eq!(claimed, enqueued);
}

async fn fills_up_with_lower_priorities(store: &dyn Store) {
    let session = open_session(store).await;
    for priority in [-3, 0, 3] {
        let job = JobToEnqueue {
            priority,
            ..job("mail")
        };
        enqueue_many(store, &job, 2).await;
    }

    let claimed = claim(store, session, &["mail"], 5).await;

    let priorities: Vec<i16> = claimed.iter().map(|it| it.priority).collect();
    assert_eq!(priorities, [3, 3, 0, 0, -3]);
}

async fn never_hands_out_a_job_twice(store: &dyn Store) {
    let (first, second) = (open_session(store).await, open_session(store).await);
    enqueue_many(store, &job("mail"), 100).await;

    let (left, right) = tokio::join!(
        claim(store, first, &["mail"], 100),
        claim(store, second, &["mail"], 100),
    );
    let rest = claim(store, first, &["mail"], 100).await;

    let all: BTreeSet<JobId> = [left, right, rest].iter().flat_map(|it| ids(it)).collect();
    assert_eq!(all.len(), 100);
    assert_eq!(store.count_jobs(None).await.unwrap().running, 100);
}

async fn never_hands_one_job_to_two_of_many(store: &dyn Store) {
    const CLAIMERS: usize = 8;
    let enqueued = enqueue_many(store, &job("mail"), 1000).await;
    let claimer = async |index: usize| {
        let session = open_session(store).await;
        let mut mine = Vec::new();
        while mine.len() < enqueued.len() {
            // Odd limits, so that the claims do not stay in step.
            let limit = u32::try_from(index * 2 + 3).unwrap();
            let onward = claim_onward(store, session, &["mail"], limit).await;
            let claimed = if onward.is_empty() {
                claim(store, session, &["mail"], limit).await
            } else {
                onward
            };
            if claimed.is_empty() && store.count_jobs(None).await.unwrap().available == 0 {
                break;
            }
            mine.extend(ids(&claimed));
        }
        mine
    };

    let claimed = futures_util::future::join_all((0..CLAIMERS).map(claimer)).await;

    let mut claimed: Vec<JobId> = claimed.into_iter().flatten().collect();
    claimed.sort_unstable();
    assert_eq!(claimed, enqueued);
}

async fn counts_the_attempt(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    settle(store, session, &[again(&first, Duration::ZERO)]).await;

    let second = claim(store, session, &["mail"], 1).await;

    assert_eq!((first.attempt, second[0].attempt), (1, 2));
    assert_eq!(record(store, first.key.id).await.attempt, 2);
}

async fn counts_claims_even_if_the_attempt_is_given_back(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    settle(store, session, &[given_back(&first, Duration::ZERO)]).await;

    let second = claim(store, session, &["mail"], 1).await;

    assert_eq!((first.attempt, second[0].attempt), (1, 1));
    assert_eq!(first.key.id, second[0].key.id);
    assert!(first.key.claim_number < second[0].key.claim_number);
}

async fn stamps_the_beginning_of_the_attempt(store: &dyn Store) {
    let session = open_session(store).await;
    let id = enqueue(store, job("mail")).await;
    let before = store.now().await.unwrap();

    claim(store, session, &["mail"], 1).await;

    let after = store.now().await.unwrap();
    let record = record(store, id).await;
    assert_eq!(record.state, JobState::Running);
    let claimed_at = record.claimed_at.expect("it is running");
    assert!((before..=after).contains(&claimed_at), "{claimed_at}");
}

async fn leaves_scheduled_jobs(store: &dyn Store) {
    let session = open_session(store).await;
    let delayed = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    enqueue(store, delayed).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(claimed, []);
}

async fn leaves_held_jobs(store: &dyn Store) {
    let session = open_session(store).await;
    let parked = running_job(store, session, "mail").await;
    let done = running_job(store, session, "mail").await;
    settle(store, session, &[held(&parked), completed(&done)]).await;

    let claimed = claim(store, session, &["mail"], 10).await;

    assert_eq!(claimed, []);
}

async fn takes_turns_among_kinds_of_one_priority(database: &Database) {
    const KINDS: [&str; 3] = ["busy", "calm", "quiet"];
    let store = database.store();
    let session = open_session(store).await;
    enqueue_many(store, &job("busy"), 100).await;
    enqueue(store, job("calm")).await;
    enqueue(store, job("quiet")).await;

    let mut kinds = BTreeSet::new();
    for _ in KINDS {
        let claimed = claim(store, session, &KINDS, 1).await;
        kinds.insert(claimed[0].kind.clone());
    }

    assert_eq!(kinds, KINDS.map(str::to_owned).into());
}

/// As after an outage: the lease has run out, nobody has taken over, and it is renewed.
async fn finds_what_an_expired_lease_kept_it_from(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 10).await;
    assert_eq!(claim(store, session, &["mail"], 5).await.len(), 5);
    expire(store, session).await;
    for _ in 0..5 {
        assert!(claim(store, session, &["mail"], 5).await.is_empty());
    }

    store.renew_session(session, LONG).await.unwrap();

    assert_eq!(claim(store, session, &["mail"], 10).await.len(), 5);
}
