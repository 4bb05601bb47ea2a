//! Making scheduled jobs available when they are due.

use std::time::Duration;

use pgqueuer::{
    JobId,
    store::{ClaimedJob, JobState, JobToEnqueue, Promotion, RunAt, Store},
};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, enqueue, enqueue_many, eventually, ids, job, open_session, record,
    running_job, settle, state, wait_until,
};

store_cases! {
    does_nothing_when_nothing_waits,
    takes_what_is_due,
    leaves_what_is_not_due,
    keeps_the_order_of_the_times,
    takes_no_more_than_the_limit,
    says_when_the_next_is_due,
    puts_jobs_at_the_end_of_the_line,
    takes_a_retry_whose_wait_is_over,
    promotes_a_job_once_even_if_many_do,
}

fn delayed(kind: &'static str, delay: Duration) -> JobToEnqueue {
    JobToEnqueue {
        run_at: RunAt::After(delay),
        ..job(kind)
    }
}

/// Jobs that were to wait this long (in milliseconds) from the same moment, and now are due.
async fn overdue(store: &dyn Store, delays: &[u64]) -> Vec<JobId> {
    let session = open_session(store).await;
    let ids = enqueue_many(store, &job("mail"), delays.len()).await;
    let claimed = claim(store, session, &["mail"], 1000).await;
    // A delay in the call that enqueues could be over before the call is.
    let wait = |(job, delay): (&ClaimedJob, &u64)| again(job, Duration::from_millis(*delay));
    let settlements: Vec<_> = claimed.iter().zip(delays).map(wait).collect();
    settle(store, session, &settlements).await;
    for id in &ids {
        let due = record(store, *id).await.run_at.expect("it is scheduled");
        wait_until(store, due).await;
    }
    ids
}

async fn does_nothing_when_nothing_waits(store: &dyn Store) {
    enqueue(store, job("mail")).await;

    let promotion = store.promote(10).await.unwrap();

    assert_eq!(promotion, Promotion::default());
}

async fn takes_what_is_due(store: &dyn Store) {
    let due = overdue(store, &[1]).await;

    let promotion = store.promote(10).await.unwrap();

    assert_eq!(promotion.promoted, 1);
    assert_eq!(promotion.next_due_in, None);
    assert_eq!(state(store, due[0]).await, JobState::Available);
}

async fn leaves_what_is_not_due(store: &dyn Store) {
    let later = enqueue(store, delayed("mail", LONG)).await;

    let promotion = store.promote(10).await.unwrap();

    assert_eq!(promotion.promoted, 0);
    assert_eq!(state(store, later).await, JobState::Scheduled);
}

async fn keeps_the_order_of_the_times(store: &dyn Store) {
    let session = open_session(store).await;
    let due = overdue(store, &[30, 10, 20]).await;

    store.promote(10).await.unwrap();

    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [due[1], due[2], due[0]]);
}

async fn takes_no_more_than_the_limit(store: &dyn Store) {
    let due = overdue(store, &[30, 10, 20]).await;

    let promotion = store.promote(2).await.unwrap();

    assert_eq!(promotion.promoted, 2);
    assert_eq!(state(store, due[0]).await, JobState::Scheduled);
    assert_eq!(store.promote(2).await.unwrap().promoted, 1);
}

async fn says_when_the_next_is_due(store: &dyn Store) {
    enqueue(store, delayed("mail", 2 * LONG)).await;
    enqueue(store, delayed("mail", LONG)).await;

    let promotion = store.promote(10).await.unwrap();

    let wait = promotion.next_due_in.expect("two jobs wait");
    assert!(wait <= LONG, "{wait:?}");
    assert!(wait > LONG / 2, "{wait:?}");
}

async fn puts_jobs_at_the_end_of_the_line(store: &dyn Store) {
    let session = open_session(store).await;
    let due = overdue(store, &[1]).await;
    let waiting = enqueue(store, job("mail")).await;

    store.promote(10).await.unwrap();

    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [waiting, due[0]]);
}

async fn takes_a_retry_whose_wait_is_over(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    settle(store, session, &[again(&job, Duration::from_millis(1))]).await;

    eventually("the retry is due", async || {
        let promotion = store.promote(10).await.unwrap();
        (promotion.promoted == 1).then_some(())
    })
    .await;

    let claimed = claim(store, session, &["mail"], 10).await;
    assert_eq!(ids(&claimed), [job.key.id]);
    assert_eq!(claimed[0].attempt, 2);
}

async fn promotes_a_job_once_even_if_many_do(store: &dyn Store) {
    overdue(store, &[1; 50]).await;

    let promotions = (0..8).map(|_| store.promote(10));
    let promotions = futures_util::future::join_all(promotions).await;
    let rest = store.promote(100).await.unwrap();

    let promoted: u32 = promotions.into_iter().map(|it| it.unwrap().promoted).sum();
    assert_eq!(promoted + rest.promoted, 50);
    assert_eq!(store.count_jobs(None).await.unwrap().available, 50);
}
