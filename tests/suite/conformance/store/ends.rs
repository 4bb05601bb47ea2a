//! How jobs ended that are waited for.

use std::time::Duration;

use pgqueuer::{
    JobFilter, JobId,
    store::{Became, Ending, JobEnd, JobState, Settlement, Store},
};

use super::super::store_cases;
use crate::support::{
    LONG, again, completed, ended, enqueue, failure, held, job, open_session, record, running_job,
    settle,
};

store_cases! {
    of_a_job_that_is_to_be_done_is_nothing,
    of_a_completed_job_have_its_result,
    keep_a_result_with_any_text_in_it,
    keep_many_results_of_one_batch_apart,
    of_a_job_that_was_not_waited_for_are_found,
    of_a_held_job_have_its_failures,
    of_a_cancelled_job_say_so,
    of_a_discarded_job_say_so,
    of_a_job_that_nobody_knows_say_so,
    of_a_job_that_is_tried_again_is_nothing,
}

async fn ends(store: &dyn Store, ids: &[JobId]) -> Vec<JobEnd> {
    let mut ends = store.ends(ids).await.unwrap();
    ends.sort_by_key(|it| it.id);
    ends
}

/// How the only one of these jobs that needs be waited for no longer ended.
async fn end(store: &dyn Store, id: JobId) -> Became {
    let mut ends = ends(store, &[id]).await;
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].id, id);
    ends.remove(0).became.expect("it is known")
}

fn returning(settlement: Settlement, result: &str) -> Settlement {
    Settlement {
        result: Some(result.to_owned()),
        ..settlement
    }
}

async fn of_a_job_that_is_to_be_done_is_nothing(store: &dyn Store) {
    let session = open_session(store).await;
    let running = running_job(store, session, "mail").await.key.id;
    let waiting = enqueue(store, job("mail")).await;
    assert_eq!(ends(store, &[running, waiting]).await, []);
    assert_eq!(ends(store, &[]).await, []);
}

async fn of_a_completed_job_have_its_result(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    settle(store, session, &[returning(completed(&claimed), "[1, 2]")]).await;

    let id = claimed.key.id;
    let became = end(store, id).await;
    assert_eq!(became.state, JobState::Completed);
    assert_eq!(became.result.as_deref(), Some("[1, 2]"));
    assert_eq!((became.kind.as_str(), became.attempt), ("mail", 1));
    assert_eq!(record(store, id).await.result.as_deref(), Some("[1, 2]"));
}

async fn keep_a_result_with_any_text_in_it(store: &dyn Store) {
    let session = open_session(store).await;
    let text = serde_json::to_string("\0 ünï \" \\ \u{1f980} '; DROP").unwrap();
    let claimed = running_job(store, session, "mail").await;
    settle(store, session, &[returning(completed(&claimed), &text)]).await;
    assert_eq!(end(store, claimed.key.id).await.result, Some(text));
}

async fn keep_many_results_of_one_batch_apart(store: &dyn Store) {
    let session = open_session(store).await;
    let mut settlements = Vec::new();
    for number in 0..20 {
        let claimed = running_job(store, session, "mail").await;
        settlements.push(match number % 3 {
            // More than goes into one statement.
            0 => returning(
                completed(&claimed),
                &format!("\"{}\"", "x".repeat(number * 100_000)),
            ),
            1 => returning(completed(&claimed), &number.to_string()),
            _ => completed(&claimed),
        });
    }
    settle(store, session, &settlements).await;

    let ids: Vec<JobId> = settlements.iter().map(|it| it.key.id).collect();
    let ends = ends(store, &ids).await;
    assert_eq!(ends.len(), 20);
    for (end, settlement) in ends.into_iter().zip(settlements) {
        assert_eq!(end.became.unwrap().result, settlement.result);
    }
}

async fn of_a_job_that_was_not_waited_for_are_found(store: &dyn Store) {
    let session = open_session(store).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let claimed = running_job(store, session, "mail").await;
        settle(store, session, &[completed(&claimed)]).await;
        ids.push(claimed.key.id);
    }
    let waiting = enqueue(store, job("mail")).await;

    let ends = ends(store, &[ids[2], waiting, ids[0]]).await;
    let found: Vec<JobId> = ends.iter().map(|it| it.id).collect();
    assert_eq!(found, [ids[0], ids[2]]);
    for end in ends {
        let became = end.became.unwrap();
        assert_eq!((became.state, became.result), (JobState::Completed, None));
    }
}

async fn of_a_held_job_have_its_failures(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    let failed = Settlement {
        failure: Some(failure(1, "no such user")),
        ..held(&claimed)
    };
    settle(store, session, &[failed]).await;
    let became = end(store, claimed.key.id).await;
    assert_eq!(became.state, JobState::Held);
    assert_eq!(became.failures[0].message, "no such user");
}

async fn of_a_cancelled_job_say_so(store: &dyn Store) {
    let id = enqueue(store, job("mail")).await;
    let filter = JobFilter::ids([id]);
    store
        .cancel(&filter, "spam", JobId::from(0), 10)
        .await
        .unwrap();
    let became = end(store, id).await;
    assert_eq!(became.state, JobState::Cancelled);
    assert_eq!(became.failures[0].message, "spam");
}

async fn of_a_discarded_job_say_so(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    settle(store, session, &[ended(&claimed, Ending::Discarded, LONG)]).await;
    assert_eq!(end(store, claimed.key.id).await.state, JobState::Discarded);
}

async fn of_a_job_that_nobody_knows_say_so(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    let forgotten = ended(&claimed, Ending::Completed, Duration::ZERO);
    settle(store, session, &[forgotten]).await;
    let never = JobId::from(i64::MAX);
    let ends = ends(store, &[claimed.key.id, never]).await;
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|it| it.became.is_none()));
}

async fn of_a_job_that_is_tried_again_is_nothing(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    settle(store, session, &[again(&claimed, LONG)]).await;
    assert_eq!(ends(store, &[claimed.key.id]).await, []);
}
