//! Waking idle workers.

use std::time::Duration;

use futures_util::FutureExt as _;
use pgqueuer::store::{Holds, SessionId, Store};

use super::super::store_cases;
use crate::support::{
    again, completed, enqueue, eventually, expire, in_time, job, running_job, settle,
};

store_cases! {
    not_pooled("LISTEN"):
    rings_when_a_job_is_enqueued,
    rings_when_a_job_is_promoted,
    rings_when_a_job_runs_again,
    rings_when_a_job_is_rescued,
    rings_when_a_session_gives_back_its_jobs,
    keeps_a_ring_that_nobody_waited_for,
    keeps_a_ring_when_the_waiting_is_given_up,
    rings_again_after_many_rings,
    rings_for_everyone,
    is_silent_when_there_is_nothing_to_tell,
}

/// A session that sleeps until the bell rings.
async fn open_session(store: &dyn Store) -> SessionId {
    let session = crate::support::open_session(store).await;
    store.arm_bell(session, true).await.unwrap();
    session
}

/// An upkeep that rang each time would wake itself, for ever.
async fn is_silent_when_there_is_nothing_to_tell(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let mut bell = store.bell().await.unwrap();

    store.promote(10).await.unwrap();
    store.rescue().await.unwrap();
    store.reconcile(session, &[job.key]).await.unwrap();
    settle(store, session, &[completed(&job)]).await;
    store.close_session(session, Holds::Unsure).await.unwrap();

    let silence = Duration::from_millis(200);
    let rung = tokio::time::timeout(silence, bell.rung()).await;
    assert!(rung.is_err(), "the bell was rung for nothing");
}

async fn rings_when_a_job_is_enqueued(store: &dyn Store) {
    open_session(store).await;
    let mut bell = store.bell().await.unwrap();

    enqueue(store, job("mail")).await;

    in_time("the bell", bell.rung()).await;
}

async fn rings_when_a_job_is_promoted(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    settle(store, session, &[again(&job, Duration::from_millis(1))]).await;
    let mut bell = store.bell().await.unwrap();

    eventually("the job is due", async || {
        let promotion = store.promote(1).await.unwrap();
        (promotion.promoted == 1).then_some(())
    })
    .await;

    in_time("the bell", bell.rung()).await;
}

async fn rings_when_a_job_runs_again(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let mut bell = store.bell().await.unwrap();

    settle(store, session, &[again(&job, Duration::ZERO)]).await;

    in_time("the bell", bell.rung()).await;
}

async fn rings_when_a_job_is_rescued(store: &dyn Store) {
    open_session(store).await;
    let dead = open_session(store).await;
    running_job(store, dead, "mail").await;
    expire(store, dead).await;
    let mut bell = store.bell().await.unwrap();

    store.rescue().await.unwrap();

    in_time("the bell", bell.rung()).await;
}

async fn rings_when_a_session_gives_back_its_jobs(store: &dyn Store) {
    open_session(store).await;
    let closing = open_session(store).await;
    running_job(store, closing, "mail").await;
    let mut bell = store.bell().await.unwrap();

    store.close_session(closing, Holds::Unsure).await.unwrap();

    in_time("the bell", bell.rung()).await;
}

async fn keeps_a_ring_that_nobody_waited_for(store: &dyn Store) {
    let session = open_session(store).await;
    let mut bell = store.bell().await.unwrap();

    enqueue(store, job("mail")).await;
    // More than enough traffic for the ring to have come and gone.
    for _ in 0..20 {
        let job = running_job(store, session, "other").await;
        settle(store, session, &[completed(&job)]).await;
    }

    in_time("the bell", bell.rung()).await;
}

async fn keeps_a_ring_when_the_waiting_is_given_up(store: &dyn Store) {
    open_session(store).await;
    let mut bell = store.bell().await.unwrap();
    for _ in 0..10 {
        assert!(bell.rung().now_or_never().is_none(), "nothing has rung");
    }

    enqueue(store, job("mail")).await;

    // Given up many times, and never lost.
    eventually("the bell", async || bell.rung().now_or_never()).await;
}

async fn rings_again_after_many_rings(store: &dyn Store) {
    open_session(store).await;
    let mut bell = store.bell().await.unwrap();
    for _ in 0..100 {
        enqueue(store, job("mail")).await;
    }
    in_time("the bell", bell.rung()).await;
    // The hundred rings may still be on their way. They end.
    eventually("silence", async || {
        bell.rung().now_or_never().is_none().then_some(())
    })
    .await;

    enqueue(store, job("mail")).await;

    in_time("the bell", bell.rung()).await;
}

async fn rings_for_everyone(store: &dyn Store) {
    open_session(store).await;
    let mut bells = [store.bell().await.unwrap(), store.bell().await.unwrap()];

    enqueue(store, job("mail")).await;

    for bell in &mut bells {
        in_time("the bell", bell.rung()).await;
    }
}
