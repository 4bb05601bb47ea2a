//! What a claim costs: how many rows it locks, and what it writes.

use std::time::Duration;

use pgqueuer::store::JobToEnqueue;
use serde_json::Value;
use sqlx::{Acquire as _, Executor as _};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{
        claim, claim_onward, completed, enqueue, enqueue_many, eventually, ids, in_time, job,
        open_session, settle, slow_claim,
    },
};

postgres_only! {
    on_postgres:
    locks_no_more_jobs_than_it_takes,
    writes_no_index,
    locks_nothing_first_when_it_is_alone,
    passes_by_a_job_that_somebody_keeps,
    waits_for_a_claim_that_is_under_way,
}

const CLAIM: &str = include_str!("../../../../pgqueuer/src/postgres/sql/claim.sql");
const CLAIM_ALONE: &str = include_str!("../../../../pgqueuer/src/postgres/sql/claim_alone.sql");

/// The plan of a claim of 100 jobs from two lanes, and how many jobs it took.
async fn explain(database: &Database, claim: &str, options: &str) -> Value {
    let session = open_session(database.store()).await;
    // `EXPLAIN` of a statement with parameters needs them as constants; a generic plan, which
    // is what a worker ends up with, comes of a prepared statement.
    let prepare =
        format!("PREPARE claim (bigint, text[], smallint[], bigint[], bigint, boolean) AS {claim}");
    let execute = format!(
        "EXPLAIN ({options}FORMAT json) EXECUTE claim({}, '{{mail,report}}', '{{0,0}}', '{{0,0}}', 100, true)",
        session.0
    );
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    transaction
        .execute("SET LOCAL plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    transaction
        .execute(sqlx::raw_sql(database.sql(&prepare)))
        .await
        .unwrap();
    let plan: Value = sqlx::query_scalar(database.sql(&execute))
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    transaction.execute("DEALLOCATE claim").await.unwrap();
    transaction.rollback().await.unwrap();
    plan
}

/// All nodes of a plan that match.
fn nodes<'a>(plan: &'a Value, matches: &dyn Fn(&Value) -> bool) -> Vec<&'a Value> {
    let inside = match plan {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    let mut found: Vec<&Value> = inside.iter().flat_map(|it| nodes(it, matches)).collect();
    if matches(plan) {
        found.push(plan);
    }
    found
}

async fn locks_no_more_jobs_than_it_takes(database: &Database) {
    let store = database.store();
    enqueue_many(store, &job("mail"), 1000).await;
    enqueue_many(store, &job("report"), 1000).await;

    let plan = explain(database, CLAIM, "ANALYZE, ").await;

    let locks = nodes(&plan, &|node| node["Node Type"] == "LockRows");
    let locked: f64 = locks
        .iter()
        // The one lock besides is that on the session.
        .filter(|it| !nodes(it, &|node| node["Alias"] == "waiting").is_empty())
        .map(|it| it["Actual Rows"].as_f64().unwrap() * it["Actual Loops"].as_f64().unwrap())
        .sum();
    assert!(
        (locked - 100.0).abs() < f64::EPSILON,
        "{locked} locked: {plan:#}"
    );
}

/// A claim changes no indexed column, so that almost every update is a HOT one.
async fn writes_no_index(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    let large = JobToEnqueue {
        priority: 3,
        ..job("mail")
    };
    enqueue_many(store, &job("mail"), 1000).await;
    enqueue_many(store, &large, 1000).await;

    let mut claimed = claim(store, session, &["mail"], 100).await;
    while claimed.len() < 2000 {
        claimed.extend(claim_onward(store, session, &["mail"], 100).await);
    }

    let (updated, hot) = eventually("the statistics arrive", async || {
        // PostgreSQL 14 reports what a connection has done only when it does something else,
        // half a second later.
        assert_eq!(claim(store, session, &["mail"], 1).await, []);
        let (updated, hot) = updates(database).await;
        (updated >= 2000).then_some((updated, hot))
    })
    .await;
    assert_eq!(updated, 2000);
    assert!(hot * 10 > updated * 9, "{hot} of {updated} updates are HOT");
    let settlements: Vec<_> = claimed.iter().map(completed).collect();
    assert_eq!(settle(store, session, &settlements).await, []);
}

async fn locks_nothing_first_when_it_is_alone(database: &Database) {
    enqueue_many(database.store(), &job("mail"), 1000).await;

    let plan = explain(database, CLAIM_ALONE, "ANALYZE, ").await;

    let locks = nodes(&plan, &|node| node["Node Type"] == "LockRows");
    assert_eq!(locks.len(), 1, "on the session, and no other: {plan:#}");
    let updates = nodes(&plan, &|node| node["Node Type"] == "Tid Scan");
    assert_eq!(updates[0]["Actual Rows"].as_f64(), Some(100.0), "{plan:#}");
}

async fn passes_by_a_job_that_somebody_keeps(database: &Database) {
    let store = database.store();
    let kept = enqueue(store, job("mail")).await;
    let free = enqueue(store, job("mail")).await;
    let session = open_session(store).await;
    assert!(claim(store, session, &["other"], 1).await.is_empty());
    let mut keeper = database.pool().begin().await.unwrap();
    let lock = database.sql("SELECT FROM pgqueuer.jobs WHERE id = $1 FOR UPDATE");
    let lock = sqlx::query(lock).bind(kept.as_i64());
    lock.execute(&mut *keeper).await.unwrap();

    let claimed = in_time("the claim", claim(store, session, &["mail"], 10)).await;

    assert_eq!(ids(&claimed), [free]);
    keeper.rollback().await.unwrap();
    assert_eq!(ids(&claim(store, session, &["mail"], 10).await), [kept]);
}

async fn waits_for_a_claim_that_is_under_way(database: &Database) {
    let store = database.store();
    enqueue(store, job("mail")).await;
    let session = open_session(store).await;
    // It learns that it is alone.
    assert_eq!(claim(store, session, &["mail"], 1).await.len(), 1);
    let first = enqueue(store, job("mail")).await;
    let second = enqueue(store, job("mail")).await;
    let other = open_session(store).await;
    let under_way = slow_claim(database, other, first).await;

    let (claimed, ()) = tokio::join!(claim_onward(store, session, &["mail"], 10), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        under_way.commit().await.unwrap();
    });

    assert_eq!(ids(&claimed), [second]);
}

/// How many updates the table of jobs has had, and how many of them were HOT.
async fn updates(database: &Database) -> (i64, i64) {
    let read = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables \
                WHERE schemaname = $1 AND relname = 'jobs'";
    sqlx::query_as(read)
        .bind(database.schema.as_str())
        .fetch_one(database.pool())
        .await
        .unwrap()
}
