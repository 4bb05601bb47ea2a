//! Handing out jobs to a worker that bounds some queues.

use pgqueuer::store::{Bound, ClaimRequest, ClaimedJob, JobToEnqueue, Look, SessionId, Store};

use super::super::store_cases;
use crate::support::{enqueue, enqueue_many, ids, job, open_session};

store_cases! {
    takes_no_more_under_a_bound_than_it_allows,
    takes_urgent_jobs_first_whatever_the_bounds,
}

async fn bounded(
    store: &dyn Store,
    session: SessionId,
    kinds: &[&str],
    limit: u32,
    bounds: &[Bound<'_>],
) -> Vec<ClaimedJob> {
    let request = ClaimRequest {
        session,
        kinds,
        limit,
        bounds,
        look: Look::Everywhere,
        has_freed: false,
    };
    store.claim(&request).await.unwrap().jobs
}

async fn takes_no_more_under_a_bound_than_it_allows(store: &dyn Store) {
    let session = open_session(store).await;
    for kind in ["mail", "fax", "call"] {
        enqueue_many(store, &job(kind), 10).await;
    }
    let letters = Bound {
        kinds: &["mail", "fax"],
        limit: 3,
    };

    let kinds = ["mail", "fax", "call"];
    let claimed = bounded(store, session, &kinds, 20, &[letters]).await;

    let calls = claimed.iter().filter(|it| it.kind == "call").count();
    assert_eq!((claimed.len(), calls), (13, 10));
}

async fn takes_urgent_jobs_first_whatever_the_bounds(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 5).await;
    let urgent = enqueue(
        store,
        JobToEnqueue {
            priority: 9,
            ..job("call")
        },
    )
    .await;
    let most_urgent = enqueue(
        store,
        JobToEnqueue {
            priority: 10,
            ..job("mail")
        },
    )
    .await;
    let letters = Bound {
        kinds: &["mail"],
        limit: 2,
    };

    let claimed = bounded(store, session, &["mail", "call"], 2, &[letters]).await;

    assert_eq!(ids(&claimed), [most_urgent, urgent]);
}
