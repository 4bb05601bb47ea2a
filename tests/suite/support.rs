//! What cases have in common. Helpers act and return data; assertions stay in the cases.

use std::{future::Future, time::Duration};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use pgqueuer::{
    Codec, Headers, JobId, Payload,
    store::{
        Attempted, ClaimKey, ClaimRequest, ClaimedJob, Disposition, Ending, Failure, FailureReason,
        JobRecord, JobState, JobToEnqueue, KindRecord, Look, Place, RunAt, SessionId, Settlement,
        Store,
    },
};
use sqlx::postgres::PgTransaction;

use crate::backend::Database;

/// Long enough for nothing to run out or become due while a case runs.
pub(crate) const LONG: Duration = Duration::from_secs(60 * 60);

/// A job without arguments, to be run at once.
pub(crate) fn job(kind: &'static str) -> JobToEnqueue {
    JobToEnqueue {
        kind: kind.into(),
        priority: 0,
        payload: Payload {
            codec: Codec::Json,
            bytes: b"{}".to_vec(),
        },
        headers: Headers::new(),
        run_at: RunAt::Now,
        limit_key: None,
    }
}

/// What a worker publishes of a kind, with no more than two attempts.
pub(crate) fn kind_record(kind: &str) -> KindRecord {
    KindRecord {
        kind: kind.to_owned(),
        queue: "default".to_owned(),
        priority: 0,
        max_attempts: 2,
        on_failure: "hold".to_owned(),
        retain_seconds: 3600,
        arguments: serde_json::json!([]),
        source: "src/jobs.rs:1".to_owned(),
        job: kind.to_owned(),
        limit_by: Vec::new(),
        unique_by: None,
        unique_millis: None,
    }
}

pub(crate) async fn enqueue(store: &dyn Store, job: JobToEnqueue) -> JobId {
    let ids = store.enqueue(&[job]).await.unwrap();
    ids[0]
}

/// Enqueues equal jobs in one call.
pub(crate) async fn enqueue_many(
    store: &dyn Store,
    job: &JobToEnqueue,
    count: usize,
) -> Vec<JobId> {
    store.enqueue(&vec![job.clone(); count]).await.unwrap()
}

/// A session that outlives the case.
pub(crate) async fn open_session(store: &dyn Store) -> SessionId {
    store.open_session("conformance", LONG).await.unwrap()
}

/// Lets the lease of a session run out now.
pub(crate) async fn expire(store: &dyn Store, session: SessionId) {
    store.renew_session(session, Duration::ZERO).await.unwrap();
}

pub(crate) async fn claim(
    store: &dyn Store,
    session: SessionId,
    kinds: &[&str],
    limit: u32,
) -> Vec<ClaimedJob> {
    look(store, session, kinds, limit, Look::Everywhere).await
}

pub(crate) async fn claim_onward(
    store: &dyn Store,
    session: SessionId,
    kinds: &[&str],
    limit: u32,
) -> Vec<ClaimedJob> {
    look(store, session, kinds, limit, Look::Onward).await
}

async fn look(
    store: &dyn Store,
    session: SessionId,
    kinds: &[&str],
    limit: u32,
    look: Look,
) -> Vec<ClaimedJob> {
    let request = ClaimRequest {
        session,
        kinds,
        limit,
        bounds: &[],
        look,
        has_freed: false,
    };
    store.claim(&request).await.unwrap().jobs
}

/// Enqueues a job of this kind and claims it.
pub(crate) async fn running_job(
    store: &dyn Store,
    session: SessionId,
    kind: &'static str,
) -> ClaimedJob {
    let id = enqueue(store, job(kind)).await;
    let claimed = claim(store, session, &[kind], 1000).await;
    claimed
        .into_iter()
        .find(|it| it.key.id == id)
        .expect("the job that was just enqueued")
}

pub(crate) fn ids(claimed: &[ClaimedJob]) -> Vec<JobId> {
    claimed.iter().map(|it| it.key.id).collect()
}

pub(crate) fn ended(job: &ClaimedJob, ending: Ending, retain: Duration) -> Settlement {
    settlement_of(job, Disposition::End { ending, retain })
}

pub(crate) fn completed(job: &ClaimedJob) -> Settlement {
    ended(job, Ending::Completed, LONG)
}

pub(crate) fn again(job: &ClaimedJob, after: Duration) -> Settlement {
    let attempted = Attempted::Counts;
    settlement_of(job, Disposition::Again { after, attempted })
}

pub(crate) fn given_back(job: &ClaimedJob, after: Duration) -> Settlement {
    let attempted = Attempted::GivenBack;
    settlement_of(job, Disposition::Again { after, attempted })
}

pub(crate) fn held(job: &ClaimedJob) -> Settlement {
    settlement_of(job, Disposition::Hold)
}

fn settlement_of(job: &ClaimedJob, disposition: Disposition) -> Settlement {
    Settlement {
        place: job.place,
        ..settlement(job.key, disposition)
    }
}

/// By who does not know where the job is.
pub(crate) fn settlement(key: ClaimKey, disposition: Disposition) -> Settlement {
    Settlement {
        key,
        place: Place::default(),
        disposition,
        failure: None,
        result: None,
    }
}

pub(crate) fn failure(attempt: u16, message: &str) -> Failure {
    Failure::new(attempt, FailureReason::Error, message)
}

/// Settles, and returns the claims that were refused.
pub(crate) async fn settle(
    store: &dyn Store,
    session: SessionId,
    settlements: &[Settlement],
) -> Vec<ClaimKey> {
    store.settle(session, settlements).await.unwrap()
}

pub(crate) async fn record(store: &dyn Store, id: impl Into<JobId>) -> JobRecord {
    let found = store.get_job(id.into()).await.unwrap();
    found.expect("the job is known")
}

pub(crate) async fn state(store: &dyn Store, id: impl Into<JobId>) -> JobState {
    record(store, id).await.state
}

/// Runs a claim by hand, in a transaction that is slow to commit.
pub(crate) async fn slow_claim(
    database: &Database,
    session: SessionId,
    id: JobId,
) -> PgTransaction<'static> {
    let lock = "SELECT FROM pgqueuer.sessions WHERE id = $1 FOR KEY SHARE";
    let take = "UPDATE pgqueuer.jobs SET claimed_by = $1, claim_number = claim_number + 1, \
                attempt = attempt + 1 WHERE id = $2";
    let mut transaction = database.pool().begin().await.unwrap();
    let lock = sqlx::query(database.sql(lock)).bind(session.0);
    lock.execute(&mut *transaction).await.unwrap();
    let take = sqlx::query(database.sql(take))
        .bind(session.0)
        .bind(id.as_i64());
    take.execute(&mut *transaction).await.unwrap();
    transaction
}

/// Waits until a statement of this case waits for a lock.
pub(crate) async fn wait_for_a_lock(database: &Database) {
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
    eventually("a statement waits for a lock", async || {
        let count = sqlx::query_scalar(count).bind(database.schema.as_str());
        let waiting: i64 = count.fetch_one(database.pool()).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
}

/// The time of the store, to the second before, plus some seconds: what every store keeps
/// without rounding.
pub(crate) async fn seconds_from_now(store: &dyn Store, seconds: i64) -> DateTime<Utc> {
    let now = store.now().await.unwrap();
    now.trunc_subsecs(0) + TimeDelta::seconds(seconds)
}

/// Waits until the clock of the store has passed `time`.
pub(crate) async fn wait_until(store: &dyn Store, time: DateTime<Utc>) {
    eventually("the time has come", async || {
        (store.now().await.unwrap() > time).then_some(())
    })
    .await;
}

/// Asks again and again until there is an answer, for as long as a very slow machine could
/// need.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    in_time(what, asking).await
}

/// Waits for something that takes well under a second, if it comes at all.
pub(crate) async fn in_time<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(30), event).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
