//! The checker: reads what is in the database afterwards, and says what is wrong.
//!
//! # What may happen, and what may not
//!
//! A handler may run again under the same attempt number only if that attempt was given back:
//! it snoozed, or its worker was told to stop. A crash, a lost lease and a failure all cost the
//! attempt. (A claim whose reply was lost is given back, too, but none of its handlers began.)
//! Under the same claim no handler runs twice, whatever happens.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use pgqueuer::JobId;
use sqlx::PgConnection;

use crate::{Result, fleet::Fleet, producers::Produced};

/// What each kind must come to, and after how many attempts at most. The others complete, and have
/// 1,000.
const KINDS: &str = "(VALUES
    ('doomed', 'held', 3), ('cursed', 'held', 2), ('dropped', 'discarded', 2),
    ('called_off', 'cancelled', 1000)
) AS rule (kind, ending, max_attempts)";

/// What must not be there: what is wrong with it, and the jobs of which that is true.
/// `$1`: the workers that were told to stop.
const NEVER: [(&str, &str); 15] = [
    (
        "lost: committed, and nowhere",
        "SELECT job FROM chaos.asked
         WHERE NOT EXISTS (SELECT FROM pgqueuer.history WHERE job_id = job)
           AND NOT EXISTS (SELECT FROM pgqueuer.jobs WHERE id = job)",
    ),
    (
        "not ended",
        "SELECT id FROM pgqueuer.jobs WHERE state <> 'held' AND kind <> 'tick'",
    ),
    (
        "ended twice",
        "SELECT job_id FROM pgqueuer.history GROUP BY job_id HAVING count(*) > 1",
    ),
    (
        "ended, and still there",
        "SELECT job_id FROM pgqueuer.history JOIN pgqueuer.jobs ON id = job_id",
    ),
    (
        "ended as its kind does not end",
        "SELECT ended.job FROM ended JOIN chaos.asked USING (job)
         LEFT JOIN rules AS rule ON rule.kind = asked.kind
         WHERE ended.ending <> coalesce(rule.ending, 'completed')",
    ),
    (
        "more attempts than its kind has",
        "SELECT job FROM (SELECT job, kind, attempt FROM ended UNION SELECT job, kind, attempt FROM chaos.ran)
             AS attempted
         LEFT JOIN rules AS rule USING (kind)
         WHERE attempt > coalesce(rule.max_attempts, 1000)",
    ),
    (
        "given up before its last attempt",
        "SELECT job FROM ended JOIN rules AS rule USING (kind)
         WHERE rule.ending <> 'cancelled' AND attempt <> rule.max_attempts",
    ),
    (
        "begun twice under one claim",
        "SELECT job FROM chaos.ran WHERE what = 'began' AND claim IS NOT NULL
         GROUP BY job, claim HAVING count(*) > 1",
    ),
    (
        "an attempt that was used up begun again",
        "SELECT job FROM chaos.ran AS began
         WHERE what = 'began'
           AND worker <> ALL ($1)
           AND EXISTS (
               SELECT FROM chaos.ran AS again
               WHERE again.job = began.job AND again.attempt = began.attempt
                 AND again.what = 'began' AND again.id > began.id
           )
           AND NOT EXISTS (
               SELECT FROM chaos.ran AS snoozed
               WHERE snoozed.job = began.job AND snoozed.attempt = began.attempt
                 AND snoozed.what = 'snoozed' AND snoozed.worker = began.worker
                 AND snoozed.id > began.id
           )",
    ),
    (
        "completed, and never begun in that attempt",
        "SELECT job FROM ended
         WHERE ending = 'completed' AND NOT EXISTS (
             SELECT FROM chaos.ran
             WHERE ran.job = ended.job AND ran.attempt = ended.attempt AND what = 'began'
         )",
    ),
    (
        "effects of a transaction not exactly once",
        "SELECT job FROM ended LEFT JOIN chaos.effects AS effect USING (job)
         WHERE kind = 'pay'
         GROUP BY job, ending, ended.attempt
         HAVING count(effect.job) <> (ending = 'completed')::int
             OR max(effect.attempt) <> ended.attempt",
    ),
    (
        "effects of a transaction whose job did not end",
        "SELECT job FROM chaos.effects WHERE NOT EXISTS (SELECT FROM ended WHERE ended.job = effects.job)",
    ),
    (
        "begun before it was due",
        "SELECT job FROM chaos.asked JOIN chaos.ran USING (job) WHERE ran.at < asked.due",
    ),
    (
        "more at a time than the queue allows",
        "SELECT job FROM chaos.ran WHERE what = 'over the limit'",
    ),
    (
        "a tick that was two jobs",
        "SELECT min(job) FROM chaos.ran WHERE what = 'ticked'
         GROUP BY detail HAVING count(DISTINCT job) > 1",
    ),
];

/// Where a job has come to its end.
const ENDED: &str = "
    SELECT job_id AS job, kind, attempt, ending::text AS ending FROM pgqueuer.history
    UNION ALL
    SELECT id, kind, attempt, 'held' FROM pgqueuer.jobs WHERE state = 'held'";

/// Jobs that nobody has asked for.
const UNASKED: &str = "
    SELECT job FROM (
        SELECT job_id AS job, kind FROM pgqueuer.history
        UNION SELECT id, kind FROM pgqueuer.jobs
        UNION SELECT job, kind FROM chaos.ran
    ) AS found
    WHERE kind <> 'tick' AND NOT EXISTS (SELECT FROM chaos.asked WHERE asked.job = found.job)";

pub(crate) struct Checker<'a> {
    connection: &'a mut PgConnection,
    fleet: &'a Fleet,
    produced: &'a Produced,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(
        connection: &'a mut PgConnection,
        fleet: &'a Fleet,
        produced: &'a Produced,
    ) -> Self {
        Self {
            connection,
            fleet,
            produced,
        }
    }

    /// Takes in the jobs that were enqueued without a transaction.
    pub(crate) async fn note_sure(&mut self, jobs: &[JobId]) -> Result {
        let jobs: Vec<i64> = jobs.iter().map(|id| id.as_i64()).collect();
        sqlx::query("INSERT INTO chaos.asked (job, kind) SELECT unnest($1::bigint[]), 'quick'")
            .bind(jobs)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    pub(crate) async fn check(&mut self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (what, jobs) in NEVER {
            let query = format!(
                "WITH ended AS MATERIALIZED ({ENDED}), rules AS (SELECT * FROM {KINDS}) {jobs}"
            );
            // The parameter must be there, also where it is not needed.
            let query =
                format!("SELECT job FROM ({query}) AS wrong (job) WHERE $1::text[] IS NOT NULL");
            let found: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .bind(&self.fleet.graceful)
                .fetch_all(&mut *self.connection)
                .await?;
            if !found.is_empty() {
                let some = &found[..found.len().min(5)];
                wrong.push(format!("{what}: {} jobs, among them {some:?}", found.len()));
            }
        }
        let unasked: Vec<i64> = sqlx::query_scalar(UNASKED)
            .fetch_all(&mut *self.connection)
            .await?;
        let in_doubt = self.produced.in_doubt.load(Relaxed);
        if unasked.len() as u64 > in_doubt {
            wrong.push(format!(
                "{} jobs exist that were never committed, with {in_doubt} in doubt: {unasked:?}",
                unasked.len()
            ));
        }
        let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM pgqueuer.sessions")
            .fetch_one(&mut *self.connection)
            .await?;
        if sessions > 0 {
            wrong.push(format!("{sessions} sessions are left, and no worker"));
        }
        let miscounted: i64 = sqlx::query_scalar("SELECT pgqueuer.recount()")
            .fetch_one(&mut *self.connection)
            .await?;
        if miscounted > 0 {
            wrong.push(format!(
                "the jobs of {miscounted} kinds are counted wrongly"
            ));
        }
        let panicked = |line: &&String| line.contains("a loop of the worker has panicked");
        wrong.extend(self.fleet.logs()?.iter().filter(panicked).cloned());
        Ok(wrong)
    }
}

/// What the run came to.
pub(crate) async fn print_counts(
    connection: &mut PgConnection,
    fleet: &Fleet,
    produced: &Produced,
    done: &BTreeMap<&'static str, u64>,
) -> Result {
    let mut rows: Vec<(String, i64)> = Vec::new();
    for (what, query) in [
        ("jobs committed", "SELECT count(*) FROM chaos.asked"),
        (
            "attempts begun",
            "SELECT count(*) FROM chaos.ran WHERE what = 'began'",
        ),
        (
            "  on claims lost before",
            "SELECT count(*) FROM chaos.ran WHERE what = 'began' AND claim IS NULL",
        ),
        (
            "effects of transactions",
            "SELECT count(*) FROM chaos.effects",
        ),
        (
            "ticks",
            "SELECT count(*) FROM pgqueuer.history WHERE kind = 'tick'",
        ),
    ] {
        let count = sqlx::query_scalar(query)
            .fetch_one(&mut *connection)
            .await?;
        rows.push((what.to_owned(), count));
    }
    let query = format!(
        "SELECT 'ended: ' || ending, count(*) FROM ({ENDED}) AS ended GROUP BY 1 ORDER BY 1"
    );
    let endings: Vec<(String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .fetch_all(&mut *connection)
        .await?;
    rows.extend(endings);
    let logs = fleet.logs()?;
    let said = |text: &str| logs.iter().filter(|line| line.contains(text)).count() as i64;
    let counted = |count: u64| count as i64;
    rows.extend([
        (
            "transactions committed".to_owned(),
            counted(produced.committed.load(Relaxed)),
        ),
        (
            "transactions rolled back".to_owned(),
            counted(produced.rolled_back.load(Relaxed)),
        ),
        (
            "transactions failed".to_owned(),
            counted(produced.failed.load(Relaxed)),
        ),
        (
            "enqueued, reply lost".to_owned(),
            counted(produced.in_doubt.load(Relaxed)),
        ),
        ("workers started".to_owned(), fleet.tally.started.into()),
        ("  in vain".to_owned(), fleet.tally.not_started.into()),
        ("  killed".to_owned(), fleet.tally.killed.into()),
        (
            "  killed by their jobs".to_owned(),
            fleet.tally.killed_by_jobs.into(),
        ),
        ("  stopped".to_owned(), fleet.tally.stopped.into()),
    ]);
    rows.extend(
        done.iter()
            .map(|(what, count)| ((*what).to_owned(), counted(*count))),
    );
    rows.extend([
        (
            "jobs rescued".to_owned(),
            said("rescued from a dead worker") + said("its worker died in its last attempt"),
        ),
        (
            "leases lost by the living".to_owned(),
            said("the lease was lost; other workers"),
        ),
        ("results refused".to_owned(), said("its result was refused")),
        ("results dropped".to_owned(), said("its result is dropped")),
        (
            "lost claims given back".to_owned(),
            said("gave back jobs of a claim"),
        ),
    ]);
    for (what, count) in rows {
        println!("{what:32} {count:>8}");
    }
    Ok(())
}
