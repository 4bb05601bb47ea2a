//! Waiting for jobs that other processes run.

use pgqueuer::{FailureReason, Job, JobFilter, JobHandle, JobId, PgQueuer, WaitError};
use serde::{Deserialize, Serialize};

use super::{
    Stage,
    jobs::{ComeToNoGood, Sum, WaitToBeTold},
};

/// As the worker has it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Declined {
    code: u16,
}

/// Waits as a process does that knows nothing but the id.
async fn wait_for<J: Job>(stage: &Stage, id: JobId) -> Result<J::Output, WaitError> {
    let pgq = PgQueuer::connect(&stage.url).await.unwrap();
    let result = JobHandle::<J>::of(&pgq, id).wait_for("60s").await;
    pgq.close().await;
    result
}

async fn failure_of(stage: &Stage, how: &str) -> WaitError {
    let job = ComeToNoGood {
        how: how.to_owned(),
    };
    let id = job.enqueue(&stage.pool).await.unwrap();
    wait_for::<ComeToNoGood>(stage, id).await.unwrap_err()
}

#[tokio::test]
async fn a_result_arrives_from_another_process() {
    let stage = Stage::set().await;
    let _worker = stage.worker(&[]);
    let id = Sum { a: 1, b: 2 }.enqueue(&stage.pool).await.unwrap();
    assert_eq!(wait_for::<Sum>(&stage, id).await.unwrap(), 3);
}

#[tokio::test]
async fn what_went_wrong_arrives_as_what_it_is() {
    let stage = Stage::set().await;
    let _worker = stage.worker(&[]);

    let error = failure_of(&stage, "error").await;
    let failure = error.failure().unwrap();
    assert_eq!(failure.reason(), Some(FailureReason::Error));
    assert_eq!(failure.error(), Some(Declined { code: 51 }));

    let error = failure_of(&stage, "panic").await;
    let failure = error.failure().unwrap();
    assert_eq!(failure.reason(), Some(FailureReason::Panic));
    assert!(failure.message().contains("oh no"));
    assert!(failure.failures()[0].backtrace.is_some());

    let error = failure_of(&stage, "timeout").await;
    assert!(matches!(error, WaitError::Held(_)));
    let failure = error.failure().unwrap();
    assert_eq!(failure.reason(), Some(FailureReason::Timeout));

    let id = WaitToBeTold {}.enqueue(&stage.pool).await.unwrap();
    let began = "SELECT count(*) FROM public.ran WHERE what = 'began'";
    stage.until(began, 1, super::Duration::from_secs(60)).await;
    stage
        .pgq
        .cancel(&JobFilter::ids([id]), "enough")
        .await
        .unwrap();
    let error = wait_for::<WaitToBeTold>(&stage, id).await.unwrap_err();
    assert!(matches!(error, WaitError::Cancelled(_)));
    let failure = error.failure().unwrap();
    assert_eq!(failure.reason(), Some(FailureReason::Cancelled));
    assert_eq!(failure.message(), "enough");
}
