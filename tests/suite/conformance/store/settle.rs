//! Writing down how attempts ended.

use std::time::Duration;

use pgqueuer::store::{ClaimKey, ClaimedJob, Ending, JobState, SessionId, Store};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, completed, ended, enqueue, enqueue_many, expire, given_back, held, ids,
    job, open_session, record, running_job, settle, state,
};

store_cases! {
    moves_a_completed_job_to_the_history,
    keeps_no_record_when_it_is_not_to_be_retained,
    tells_the_endings_apart,
    makes_a_job_available_again,
    schedules_a_job_that_is_to_wait,
    spends_no_attempt_on_a_job_that_is_given_back,
    spends_no_attempt_on_a_job_that_snoozes,
    holds_a_job_with_its_payload,
    puts_a_job_that_runs_again_at_the_end_of_its_line,
    takes_an_empty_list,
    takes_a_thousand_at_once,
    refuses_a_claim_that_is_settled,
    refuses_the_claim_of_another_session,
    refuses_a_claim_of_a_dead_session,
    refuses_an_older_claim_of_the_same_session,
    refuses_stale_claims_that_would_leave_no_record,
    refuses_a_job_that_does_not_exist,
    refuses_a_job_that_was_not_claimed,
    refuses_only_what_it_must,
    tells_two_claims_of_one_job_apart,
    counts_the_first_of_two_results_of_one_claim,
}

async fn moves_a_completed_job_to_the_history(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let refused = settle(store, session, &[completed(&job)]).await;

    let record = record(store, job.key.id).await;
    assert_eq!(refused, []);
    assert_eq!(record.state, JobState::Completed);
    assert_eq!((record.kind.as_str(), record.attempt), ("mail", 1));
    assert_eq!(record.enqueued_at, job.enqueued_at);
    assert!(record.claimed_at.is_some() && record.claimed_at <= record.finished_at);
    assert_eq!((record.run_at, record.payload), (None, None));
    let counts = store.count_jobs(None).await.unwrap();
    assert_eq!((counts.running, counts.available), (0, 0));
}

async fn keeps_no_record_when_it_is_not_to_be_retained(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let forgotten = ended(&job, Ending::Completed, Duration::ZERO);
    let refused = settle(store, session, &[forgotten]).await;

    assert_eq!(refused, []);
    assert_eq!(store.get_job(job.key.id).await.unwrap(), None);
}

async fn tells_the_endings_apart(store: &dyn Store) {
    const ENDINGS: [(Ending, JobState); 3] = [
        (Ending::Completed, JobState::Completed),
        (Ending::Cancelled, JobState::Cancelled),
        (Ending::Discarded, JobState::Discarded),
    ];
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 3).await;
    let jobs = claim(store, session, &["mail"], 3).await;

    for (job, (ending, _)) in jobs.iter().zip(ENDINGS) {
        settle(store, session, &[ended(job, ending, LONG)]).await;
    }

    for (job, (_, expected)) in jobs.iter().zip(ENDINGS) {
        assert_eq!(state(store, job.key.id).await, expected);
    }
}

async fn makes_a_job_available_again(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let refused = settle(store, session, &[again(&job, Duration::ZERO)]).await;

    let record = record(store, job.key.id).await;
    assert_eq!(refused, []);
    assert_eq!((record.state, record.attempt), (JobState::Available, 1));
    assert_eq!(record.payload, Some(job.payload));
}

async fn schedules_a_job_that_is_to_wait(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let before = store.now().await.unwrap();

    settle(store, session, &[again(&job, LONG)]).await;

    let after = store.now().await.unwrap();
    let record = record(store, job.key.id).await;
    let run_at = record.run_at.expect("it is not finished");
    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 1));
    assert!((before + LONG..=after + LONG).contains(&run_at), "{run_at}");
    assert_eq!(claim(store, session, &["mail"], 1).await, []);
}

async fn spends_no_attempt_on_a_job_that_is_given_back(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    settle(store, session, &[given_back(&job, Duration::ZERO)]).await;

    let record = record(store, job.key.id).await;
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

async fn spends_no_attempt_on_a_job_that_snoozes(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    settle(store, session, &[given_back(&job, LONG)]).await;

    let record = record(store, job.key.id).await;
    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 0));
}

async fn holds_a_job_with_its_payload(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    settle(store, session, &[held(&job)]).await;

    let record = record(store, job.key.id).await;
    assert_eq!((record.state, record.attempt), (JobState::Held, 1));
    assert_eq!(record.payload, Some(job.payload));
    assert_eq!(store.count_jobs(None).await.unwrap().held, 1);
}

async fn puts_a_job_that_runs_again_at_the_end_of_its_line(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    let waiting = enqueue_many(store, &job("mail"), 2).await;

    settle(store, session, &[again(&first, Duration::ZERO)]).await;

    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [waiting[0], waiting[1], first.key.id]);
}

async fn takes_an_empty_list(store: &dyn Store) {
    let session = open_session(store).await;

    let refused = settle(store, session, &[]).await;

    assert_eq!(refused, []);
}

async fn takes_a_thousand_at_once(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 1000).await;
    let claimed = claim(store, session, &["mail"], 1000).await;
    let settlements: Vec<_> = claimed.iter().map(completed).collect();

    let refused = settle(store, session, &settlements).await;

    let counts = store.count_jobs(None).await.unwrap();
    assert_eq!((claimed.len(), refused.len()), (1000, 0));
    assert_eq!((counts.running, counts.available), (0, 0));
}

async fn refuses_a_claim_that_is_settled(store: &dyn Store) {
    let session = open_session(store).await;
    let done = running_job(store, session, "mail").await;
    let parked = running_job(store, session, "mail").await;
    settle(store, session, &[completed(&done), held(&parked)]).await;

    let late = [again(&done, Duration::ZERO), completed(&parked)];
    let refused = settle(store, session, &late).await;

    assert_eq!(refused, [done.key, parked.key]);
    assert_eq!(state(store, done.key.id).await, JobState::Completed);
    assert_eq!(state(store, parked.key.id).await, JobState::Held);
}

async fn refuses_the_claim_of_another_session(store: &dyn Store) {
    let session = open_session(store).await;
    let thief = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let refused = settle(store, thief, &[completed(&job)]).await;

    assert_eq!(refused, [job.key]);
    assert_eq!(state(store, job.key.id).await, JobState::Running);
}

async fn refuses_a_claim_of_a_dead_session(store: &dyn Store) {
    let dead = open_session(store).await;
    let session = open_session(store).await;
    let late = running_job(store, dead, "mail").await;
    expire(store, dead).await;
    store.rescue().await.unwrap();
    let current = claim(store, session, &["mail"], 1).await;

    let refused = settle(store, dead, &[completed(&late)]).await;

    assert_eq!(refused, [late.key]);
    assert_eq!(state(store, late.key.id).await, JobState::Running);
    assert_eq!(settle(store, session, &[completed(&current[0])]).await, []);
}

async fn refuses_an_older_claim_of_the_same_session(store: &dyn Store) {
    let session = open_session(store).await;
    let older = running_job(store, session, "mail").await;
    settle(store, session, &[given_back(&older, Duration::ZERO)]).await;
    let newer = claim(store, session, &["mail"], 1).await;

    let refused = settle(store, session, &[completed(&older)]).await;

    assert_eq!(refused, [older.key]);
    assert_eq!(state(store, older.key.id).await, JobState::Running);
    assert_eq!(settle(store, session, &[completed(&newer[0])]).await, []);
}

async fn refuses_stale_claims_that_would_leave_no_record(store: &dyn Store) {
    let session = open_session(store).await;
    let thief = open_session(store).await;
    let unrecorded = |job: &ClaimedJob| ended(job, Ending::Completed, Duration::ZERO);
    let stolen = running_job(store, thief, "mail").await;
    let older = running_job(store, session, "mail").await;
    settle(store, session, &[given_back(&older, Duration::ZERO)]).await;
    let newer = claim(store, session, &["mail"], 1).await;
    let done = running_job(store, session, "mail").await;

    let late = [unrecorded(&stolen), unrecorded(&older), unrecorded(&done)];
    let refused = settle(store, session, &late).await;

    assert_eq!(refused, [stolen.key, older.key]);
    assert_eq!(state(store, stolen.key.id).await, JobState::Running);
    assert_eq!(state(store, newer[0].key.id).await, JobState::Running);
    assert_eq!(store.get_job(done.key.id).await.unwrap(), None);
}

async fn refuses_a_job_that_does_not_exist(store: &dyn Store) {
    let session = open_session(store).await;
    let mut job = running_job(store, session, "mail").await;
    job.key.id = 404_404.into();

    let refused = settle(store, session, &[completed(&job), held(&job)]).await;

    assert_eq!(refused, [job.key, job.key]);
}

async fn refuses_a_job_that_was_not_claimed(store: &dyn Store) {
    let session = open_session(store).await;
    let mut job = running_job(store, session, "mail").await;
    job.key = ClaimKey {
        id: enqueue(store, crate::support::job("mail")).await,
        claim_number: 0,
    };

    let refused = settle(store, session, &[completed(&job)]).await;
    let refused_unknown = settle(store, SessionId(0), &[completed(&job)]).await;

    assert_eq!((refused, refused_unknown), (vec![job.key], vec![job.key]));
    assert_eq!(state(store, job.key.id).await, JobState::Available);
}

async fn refuses_only_what_it_must(store: &dyn Store) {
    let session = open_session(store).await;
    let thief = open_session(store).await;
    let stolen = running_job(store, thief, "mail").await;
    let done = running_job(store, session, "mail").await;
    let repeated = running_job(store, session, "mail").await;
    let parked = running_job(store, session, "mail").await;

    let batch = [
        completed(&done),
        completed(&stolen),
        again(&repeated, Duration::ZERO),
        held(&stolen),
        held(&parked),
    ];
    let refused = settle(store, session, &batch).await;

    assert_eq!(refused, [stolen.key, stolen.key]);
    assert_eq!(state(store, done.key.id).await, JobState::Completed);
    assert_eq!(state(store, repeated.key.id).await, JobState::Available);
    assert_eq!(state(store, parked.key.id).await, JobState::Held);
    assert_eq!(state(store, stolen.key.id).await, JobState::Running);
}

async fn tells_two_claims_of_one_job_apart(store: &dyn Store) {
    let session = open_session(store).await;
    let older = running_job(store, session, "mail").await;
    settle(store, session, &[given_back(&older, Duration::ZERO)]).await;
    let newer = claim(store, session, &["mail"], 1).await;

    let batch = [held(&older), completed(&newer[0])];
    let refused = settle(store, session, &batch).await;

    assert_eq!(refused, [older.key]);
    assert_eq!(state(store, older.key.id).await, JobState::Completed);
}

async fn counts_the_first_of_two_results_of_one_claim(store: &dyn Store) {
    let session = open_session(store).await;
    let first_held = running_job(store, session, "mail").await;
    let first_ended = running_job(store, session, "mail").await;

    let both = [
        held(&first_held),
        completed(&first_held),
        completed(&first_ended),
        ended(&first_ended, Ending::Cancelled, LONG),
    ];
    let refused = settle(store, session, &both).await;

    assert_eq!(refused, []);
    assert_eq!(state(store, first_held.key.id).await, JobState::Held);
    assert_eq!(state(store, first_ended.key.id).await, JobState::Completed);
}
