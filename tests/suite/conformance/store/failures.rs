//! What is kept of failed attempts.

use std::time::Duration;

use pgqueuer::store::{Ending, Failure, FailureReason, Settlement, Store};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, completed, ended, failure, given_back, held, open_session, record,
    running_job, settle,
};

store_cases! {
    are_stamped_by_the_store,
    are_kept_whole,
    are_kept_oldest_first,
    are_no_more_than_ten,
    stay_with_a_held_job,
    go_to_the_history_with_the_job,
    go_each_with_its_own_job,
    of_earlier_attempts_stay_when_one_succeeds,
    are_not_added_where_there_are_none,
    may_say_anything,
}

async fn are_stamped_by_the_store(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let before = store.now().await.unwrap();

    let failed = Settlement {
        failure: Some(failure(1, "no route to host")),
        ..again(&job, LONG)
    };
    settle(store, session, &[failed]).await;

    let after = store.now().await.unwrap();
    let failures = record(store, job.key.id).await.failures;
    let failed_at = failures[0].failed_at.expect("the store stamps it");
    assert!((before..=after).contains(&failed_at), "{failed_at}");
}

async fn are_kept_whole(store: &dyn Store) {
    const REASONS: [FailureReason; 5] = [
        FailureReason::Error,
        FailureReason::Panic,
        FailureReason::Timeout,
        FailureReason::Crash,
        FailureReason::Undecodable,
    ];
    let session = open_session(store).await;
    let mut kept = Vec::new();
    for reason in REASONS {
        let job = running_job(store, session, "mail").await;
        let failed = Settlement {
            failure: Some(Failure {
                reason,
                backtrace: Some("0: main\n1: start".to_owned()),
                ..failure(1, "outer: inner")
            }),
            ..held(&job)
        };
        settle(store, session, &[failed]).await;
        kept.extend(record(store, job.key.id).await.failures);
    }

    let reasons: Vec<FailureReason> = kept.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, REASONS);
    for failure in kept {
        assert_eq!(
            (failure.attempt, failure.message.as_str()),
            (1, "outer: inner")
        );
        assert_eq!(failure.backtrace.as_deref(), Some("0: main\n1: start"));
    }
}

async fn are_kept_oldest_first(store: &dyn Store) {
    let failures = fail_times(store, 3).await;

    let messages: Vec<&str> = failures.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages, ["failure 1", "failure 2", "failure 3"]);
    assert!(failures.is_sorted_by_key(|it| it.failed_at));
}

async fn are_no_more_than_ten(store: &dyn Store) {
    let failures = fail_times(store, 12).await;

    let attempts: Vec<u16> = failures.iter().map(|it| it.attempt).collect();
    assert_eq!(attempts, (3..=12).collect::<Vec<u16>>());
}

/// Lets one job fail again and again; its failures.
async fn fail_times(store: &dyn Store, times: u16) -> Vec<Failure> {
    let session = open_session(store).await;
    let mut job = running_job(store, session, "mail").await;
    for attempt in 1..=times {
        let failed = Settlement {
            failure: Some(failure(attempt, &format!("failure {attempt}"))),
            ..again(&job, Duration::ZERO)
        };
        settle(store, session, &[failed]).await;
        job = claim(store, session, &["mail"], 1).await.remove(0);
    }
    record(store, job.key.id).await.failures
}

async fn stay_with_a_held_job(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let failed = Settlement {
        failure: Some(failure(1, "no such user")),
        ..held(&job)
    };
    settle(store, session, &[failed]).await;

    let failures = record(store, job.key.id).await.failures;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].message, "no such user");
}

async fn go_to_the_history_with_the_job(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let failed = Settlement {
        failure: Some(failure(1, "not needed any longer")),
        ..ended(&job, Ending::Cancelled, LONG)
    };
    settle(store, session, &[failed]).await;

    let failures = record(store, job.key.id).await.failures;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].message, "not needed any longer");
}

async fn go_each_with_its_own_job(store: &dyn Store) {
    let session = open_session(store).await;
    let mut batch = Vec::new();
    for message in [Some("first"), None, Some("third")] {
        let job = running_job(store, session, "mail").await;
        batch.push(Settlement {
            failure: message.map(|it| failure(1, it)),
            ..ended(&job, Ending::Cancelled, LONG)
        });
    }

    settle(store, session, &batch).await;

    let mut messages = Vec::new();
    for settlement in &batch {
        let failures = record(store, settlement.key.id).await.failures;
        messages.push(
            failures
                .into_iter()
                .map(|it| it.message)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(messages, [vec!["first"], vec![], vec!["third"]]);
}

async fn of_earlier_attempts_stay_when_one_succeeds(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let failed = Settlement {
        failure: Some(failure(1, "busy")),
        ..again(&job, Duration::ZERO)
    };
    settle(store, session, &[failed]).await;
    let second = claim(store, session, &["mail"], 1).await;

    settle(store, session, &[completed(&second[0])]).await;

    let record = record(store, job.key.id).await;
    assert_eq!((record.attempt, record.failures.len()), (2, 1));
}

async fn are_not_added_where_there_are_none(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    settle(store, session, &[given_back(&job, LONG)]).await;

    assert_eq!(record(store, job.key.id).await.failures, []);
}

async fn may_say_anything(store: &dyn Store) {
    let message = "'quoted' \"twice\" \\ \u{1} \u{7f} ünï 🦀 $1 %s {} \r\n".repeat(200);
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;

    let failed = Settlement {
        failure: Some(failure(1, &message)),
        ..held(&job)
    };
    settle(store, session, &[failed]).await;

    assert_eq!(record(store, job.key.id).await.failures[0].message, message);
}
