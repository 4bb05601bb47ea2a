//! What those who wait are told when there is no result.

use std::{error::Error as _, time::Duration};

use pgqueuer::{
    ErrorKind, FailureReason, Job as _, JobFilter, JobHandle, JobId, PgQueuer, WaitError,
};

use super::{
    super::super::runtime_cases, Declined, GoWrong, Journal, LeaveNoTrace, NotANumber, Nothing,
    Pay, PayTyped, Running, Sum, ThrowAway, UntilCancelled, all, drain, result_of,
};
use crate::support::in_time;

runtime_cases! {
    tell_an_error_with_its_sources,
    tell_a_typed_error_as_what_it_is,
    tell_a_panic_and_a_timeout,
    tell_that_a_job_is_held_by_its_handler,
    tell_that_a_job_was_discarded,
    tell_that_a_job_was_cancelled_by_its_handler,
    tell_that_a_waiting_job_was_cancelled,
    tell_that_a_running_job_was_cancelled,
    refuse_jobs_that_leave_no_record,
    say_when_nothing_is_known_of_the_job,
    say_when_the_result_is_of_another_type,
    say_when_the_result_could_not_be_written,
}

async fn tell_an_error_with_its_sources(pgq: &PgQueuer) {
    let error = result_of(pgq, Pay { code: 51 }).await.unwrap_err();
    let Some(failure) = error.failure() else {
        panic!("{error:?}");
    };
    assert!(matches!(error, WaitError::Held(_)), "{error:?}");
    assert_eq!(failure.reason(), Some(FailureReason::Error));
    assert_eq!(failure.message(), "the payment failed: declined with 51");
    assert_eq!(failure.error::<Declined>(), None);
    assert_eq!(
        error.to_string(),
        format!("job {} (`pay`) is held after one attempt", failure.id())
    );
    let outer = error.source().unwrap();
    assert_eq!(outer.to_string(), "the payment failed");
    assert_eq!(outer.source().unwrap().to_string(), "declined with 51");

    let error = pgqueuer::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::JobFailed);
    assert!(format!("{error:?}").ends_with("the payment failed: declined with 51"));
}

async fn tell_a_typed_error_as_what_it_is(pgq: &PgQueuer) {
    let error = result_of(pgq, PayTyped { code: 51 }).await.unwrap_err();
    let declined: Option<Declined> = error.failure().unwrap().error();
    assert_eq!(declined, Some(Declined { code: 51 }));
}

async fn tell_a_panic_and_a_timeout(pgq: &PgQueuer) {
    for (how, reason, said) in [
        ("panic", FailureReason::Panic, "oh no"),
        ("timeout", FailureReason::Timeout, "its timeout of 20ms"),
    ] {
        let how = how.to_owned();
        let error = result_of(pgq, GoWrong { how }).await.unwrap_err();
        let failure = error.failure().unwrap();
        assert_eq!(failure.reason(), Some(reason));
        assert!(failure.message().contains(said), "{}", failure.message());
    }
}

async fn tell_that_a_job_is_held_by_its_handler(pgq: &PgQueuer) {
    let how = "hold".to_owned();
    let error = result_of(pgq, GoWrong { how }).await.unwrap_err();
    assert!(matches!(&error, WaitError::Held(it) if it.message().contains("ask a person")));
}

async fn tell_that_a_job_was_discarded(pgq: &PgQueuer) {
    let error = result_of(pgq, ThrowAway {}).await.unwrap_err();
    assert!(matches!(&error, WaitError::Discarded(it) if it.message() == "it was a mistake"));
}

async fn tell_that_a_job_was_cancelled_by_its_handler(pgq: &PgQueuer) {
    let how = "cancel".to_owned();
    let error = result_of(pgq, GoWrong { how }).await.unwrap_err();
    assert!(
        matches!(&error, WaitError::Cancelled(it) if it.message().contains("no longer needed"))
    );
}

async fn tell_that_a_waiting_job_was_cancelled(pgq: &PgQueuer) {
    let handle = Nothing {}.enqueue(pgq).await.unwrap();
    let waited = tokio::spawn(handle.wait());
    tokio::time::sleep(Duration::from_millis(50)).await;
    pgq.cancel(&JobFilter::ids([&handle]), "spam")
        .await
        .unwrap();
    let error = in_time("the end", waited).await.unwrap().unwrap_err();
    let failure = error.failure().unwrap();
    assert!(matches!(error, WaitError::Cancelled(_)));
    assert_eq!(failure.reason(), Some(FailureReason::Cancelled));
    assert_eq!(failure.message(), "spam");
}

async fn tell_that_a_running_job_was_cancelled(pgq: &PgQueuer) {
    let journal = Journal::default();
    let running = Running::start(all(pgq, &journal));
    let handle = UntilCancelled {}.enqueue(pgq).await.unwrap();
    journal.wait_for(1).await;
    pgq.cancel(&JobFilter::ids([&handle]), "enough")
        .await
        .unwrap();
    let error = in_time("the end", handle.wait()).await.unwrap_err();
    assert!(
        matches!(&error, WaitError::Cancelled(it) if it.message() == "enough"),
        "{error:?}"
    );
    running.stop().await;
}

async fn refuse_jobs_that_leave_no_record(pgq: &PgQueuer) {
    let error = result_of(pgq, LeaveNoTrace {}).await.unwrap_err();
    assert!(error.to_string().contains("leave no record"), "{error}");
}

async fn say_when_nothing_is_known_of_the_job(pgq: &PgQueuer) {
    let handle = JobHandle::<Sum>::of(pgq, JobId::from(4711));
    let error = in_time("an answer", handle.wait()).await.unwrap_err();
    assert!(matches!(error, WaitError::Gone { .. }), "{error:?}");
    assert!(error.to_string().contains("its record has expired"));
    assert_eq!(pgqueuer::Error::from(error).kind(), ErrorKind::NotFound);
}

async fn say_when_the_result_is_of_another_type(pgq: &PgQueuer) {
    let handle = Nothing {}.enqueue(pgq).await.unwrap();
    drain(all(pgq, &Journal::default())).await;
    let handle = JobHandle::<Sum>::of(pgq, handle);
    let error = in_time("an answer", handle.wait()).await.unwrap_err();
    assert!(error.to_string().contains("is not a `i64`"), "{error}");
}

async fn say_when_the_result_could_not_be_written(pgq: &PgQueuer) {
    let error = result_of(pgq, NotANumber {}).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("is done, but its result, a `f64`, cannot be read back"),
        "{said}"
    );
}
