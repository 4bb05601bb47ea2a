//! What producers and handlers write down, for the checker to read.

use chrono::{DateTime, Utc};
use pgqueuer::{BoxError, Context, JobId};
use sqlx::{PgConnection, PgPool};

/// `asked`: the jobs that exist, written in the transaction that enqueues them. `ran`: what
/// handlers tell of their attempts, at once. `effects`: what they write in their `Tx`.
pub(crate) const TABLES: &str = "
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.asked (job bigint PRIMARY KEY, kind text NOT NULL, due timestamptz);
    CREATE TABLE chaos.ran (
        id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job     bigint NOT NULL,
        kind    text NOT NULL,
        attempt int NOT NULL,
        claim   int,
        worker  text NOT NULL,
        what    text NOT NULL,
        detail  text NOT NULL DEFAULT '',
        at      timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE INDEX ran_job_idx ON chaos.ran (job, attempt);
    CREATE TABLE chaos.effects (job bigint NOT NULL, attempt int NOT NULL);
";

/// Takes the traces of one worker.
pub(crate) struct Ledger {
    pub(crate) pool: PgPool,
    /// What the worker is called in its session.
    pub(crate) worker: String,
    /// The worker bounds the queue `narrow`.
    pub(crate) is_narrow: bool,
}

impl Ledger {
    /// The first trace of an attempt. The claim is left out if the job is not held by this
    /// worker any more, in this attempt: who was late must not pass for who holds it now.
    pub(crate) async fn began(&self, context: &Context) -> Result<(), BoxError> {
        sqlx::query(
            "INSERT INTO chaos.ran (job, kind, attempt, worker, what, claim)
             VALUES ($1, $2, $3, $4, 'began', (
                 SELECT job.claim_number
                 FROM pgqueuer.jobs AS job
                 JOIN pgqueuer.sessions AS session ON session.id = job.claimed_by
                 WHERE job.id = $1 AND job.attempt = $3 AND session.worker = $4
             ))",
        )
        .bind(context.job_id().as_i64())
        .bind(context.kind())
        .bind(i32::from(context.attempt()))
        .bind(&self.worker)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Any other trace.
    pub(crate) async fn note(
        &self,
        context: &Context,
        what: &str,
        detail: &str,
    ) -> Result<(), BoxError> {
        sqlx::query(
            "INSERT INTO chaos.ran (job, kind, attempt, worker, what, detail)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(context.job_id().as_i64())
        .bind(context.kind())
        .bind(i32::from(context.attempt()))
        .bind(&self.worker)
        .bind(what)
        .bind(detail)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many such traces the job has left.
    pub(crate) async fn count(&self, context: &Context, what: &str) -> Result<i64, BoxError> {
        let count =
            sqlx::query_scalar("SELECT count(*) FROM chaos.ran WHERE job = $1 AND what = $2")
                .bind(context.job_id().as_i64())
                .bind(what)
                .fetch_one(&self.pool)
                .await?;
        Ok(count)
    }
}

/// Writes down jobs in the transaction that enqueues them.
pub(crate) async fn ask(
    tx: &mut PgConnection,
    jobs: &[JobId],
    kind: &str,
    due: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    let jobs: Vec<i64> = jobs.iter().map(|id| id.as_i64()).collect();
    sqlx::query("INSERT INTO chaos.asked (job, kind, due) SELECT unnest($1::bigint[]), $2, $3")
        .bind(jobs)
        .bind(kind)
        .bind(due)
        .execute(tx)
        .await?;
    Ok(())
}

/// What must be there exactly once for each such job that was completed.
pub(crate) async fn write_effect(tx: &mut PgConnection, context: &Context) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO chaos.effects (job, attempt) VALUES ($1, $2)")
        .bind(context.job_id().as_i64())
        .bind(i32::from(context.attempt()))
        .execute(tx)
        .await?;
    Ok(())
}
