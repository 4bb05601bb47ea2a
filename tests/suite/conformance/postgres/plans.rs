//! How the statements of a busy queue find their rows: by the same index, or the place of the
//! row, however many jobs there are, and whatever the planner believes of their number.

use serde_json::Value;
use sqlx::{Acquire as _, Executor as _};

use super::super::postgres_only;
use crate::backend::Database;

postgres_only! {
    on_postgres:
    stay_the_same_from_none_to_a_million_jobs,
}

/// A statement, and how it reads the table of jobs.
struct Guarded {
    name: &'static str,
    text: &'static str,
    types: &'static str,
    arguments: &'static str,
    reads: &'static [&'static str],
    /// It runs on the connections that leave the planner no choice.
    on_dedicated: bool,
}

/// What the connections of a worker for claims and results are set to. The first setting is for
/// all: the generic plan is what a statement ends up with.
const DEDICATED: [&str; 5] = [
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "enable_bitmapscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
];

macro_rules! guarded {
    ($name:literal ($types:literal) as ($arguments:literal) reads $reads:expr, dedicated: $on_dedicated:literal) => {
        Guarded {
            name: $name,
            text: include_str!(concat!(
                "../../../../pgqueuer/src/postgres/sql/",
                $name,
                ".sql"
            )),
            types: $types,
            arguments: $arguments,
            reads: &$reads,
            on_dedicated: $on_dedicated,
        }
    };
}

const LINE: &str = "Index Scan by jobs_claim_idx";
const KEY: &str = "Index Scan by jobs_pkey";
const DUE: &str = "Index Scan by jobs_scheduled_idx";
const NEXT_DUE: &str = "Index Only Scan by jobs_scheduled_idx";
const HELD: &str = "Index Scan by jobs_held_idx";
const PLACE: &str = "Tid Scan";
/// The claims that a result must match are not searched one by one.
const MATCHED: &str = "Tid Scan, matched by hash";

#[rustfmt::skip]
const STATEMENTS: [Guarded; 12] = [
    guarded!("claim" ("bigint, text[], smallint[], bigint[], bigint, boolean")
        as ("1, '{mail,report}', '{0,0}', '{0,0}', 100, true")
        reads [LINE, PLACE], dedicated: true),
    guarded!("claim_alone" ("bigint, text[], smallint[], bigint[], bigint")
        as ("1, '{mail,report}', '{0,0}', '{0,0}', 100")
        reads [LINE, PLACE], dedicated: true),
    guarded!("claim_bounded" ("bigint, text[], smallint[], bigint[], bigint, integer[], bigint[]")
        as ("1, '{mail,report}', '{0,0}', '{0,0}', 100, '{1,1}', '{5,5}'")
        reads [LINE, PLACE], dedicated: true),
    guarded!("settle_end" ("bigint, text[], bigint[], integer[], jsonb, text, float8, jsonb")
        as (r#"1, '{"(0,1)"}', '{1}', '{1}', NULL, 'completed', 60, NULL"#)
        reads [MATCHED], dedicated: true),
    guarded!("settle_unrecorded" ("bigint, text[], bigint[], integer[]")
        as (r#"1, '{"(0,1)"}', '{1}', '{1}'"#)
        reads [MATCHED], dedicated: true),
    guarded!("find_places" ("bigint, bigint[]") as ("1, '{1}'") reads [KEY], dedicated: true),
    guarded!("settle_keep" ("bigint, bigint[], integer[], text[], float8[], smallint[], jsonb[]")
        as ("1, '{1}', '{1}', '{available}', '{0}', '{0}', NULL")
        reads [KEY], dedicated: true),
    guarded!("promote" ("bigint") as ("1000") reads [DUE, NEXT_DUE, KEY], dedicated: false),
    guarded!("get_job" ("bigint") as ("1") reads [KEY], dedicated: false),
    guarded!("backlog" ("") as ("") reads [LINE], dedicated: false),
    guarded!("list_jobs_held"
        ("bigint[], text[], text, text[], text, text, timestamptz, timestamptz, bigint, bigint")
        as ("NULL, NULL, NULL, '{held}', NULL, NULL, NULL, NULL, 0, 100")
        reads [HELD], dedicated: false),
    guarded!("list_held" ("text[], bigint") as ("NULL, 100") reads [HELD], dedicated: false),
];

async fn stay_the_same_from_none_to_a_million_jobs(database: &Database) {
    guard(database, "empty").await;

    fill(database, 1000).await;
    analyze(database).await;
    guard(database, "with a thousand").await;

    fill(database, 999_000).await;
    guard(
        database,
        "with a million, of which the statistics know a thousand",
    )
    .await;

    analyze(database).await;
    guard(database, "with a million").await;

    let truncate = database.sql("TRUNCATE pgqueuer.jobs");
    database.pool().execute(truncate).await.unwrap();
    guard(database, "empty, after a million").await;
}

/// A third each: available, scheduled, held by a worker.
async fn fill(database: &Database, jobs: u32) {
    let insert = database.sql(
        "INSERT INTO pgqueuer.jobs (id, position, kind, priority, state, run_at, claimed_by, codec, payload)
         SELECT id, id, 'mail', 0,
             (CASE id % 3 WHEN 0 THEN 'scheduled' ELSE 'available' END)::pgqueuer.job_state,
             CASE id % 3 WHEN 0 THEN now() + make_interval(secs => id) END,
             CASE id % 3 WHEN 1 THEN 1 END,
             'json', '{}'
         FROM (
             SELECT nextval('pgqueuer.positions') AS id FROM generate_series(1, $1)
         ) AS entering",
    );
    let insert = sqlx::query(insert).bind(i64::from(jobs));
    insert.execute(database.pool()).await.unwrap();
}

async fn analyze(database: &Database) {
    let analyze = database.sql("ANALYZE pgqueuer.jobs");
    database.pool().execute(analyze).await.unwrap();
}

async fn guard(database: &Database, size: &str) {
    for statement in &STATEMENTS {
        let plan = explain(database, statement).await;
        let mut reads = Vec::new();
        collect_reads(&plan, &mut reads);
        reads.sort();
        let mut expected = statement.reads.to_vec();
        expected.sort_unstable();
        assert_eq!(reads, expected, "{} when {size}: {plan:#}", statement.name);
    }
}

async fn explain(database: &Database, statement: &Guarded) -> Value {
    let Guarded {
        name,
        text,
        types,
        arguments,
        ..
    } = statement;
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let settings = match statement.on_dedicated {
        true => &DEDICATED[..],
        false => &DEDICATED[..1],
    };
    for setting in settings {
        let set = format!("SET LOCAL {setting}");
        transaction.execute(sqlx::AssertSqlSafe(set)).await.unwrap();
    }
    // Without parameters, there is no list of them.
    let in_brackets = |list: &str| match list {
        "" => String::new(),
        list => format!("({list})"),
    };
    let types = in_brackets(types);
    let arguments = in_brackets(arguments);
    let prepare = format!("PREPARE {name} {types} AS {text}");
    let prepare = sqlx::raw_sql(database.sql(&prepare));
    transaction.execute(prepare).await.unwrap();
    let explain = format!("EXPLAIN (FORMAT json) EXECUTE {name} {arguments}");
    let plan: Value = sqlx::query_scalar(database.sql(&explain))
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    let deallocate = format!("DEALLOCATE {name}");
    let deallocate = sqlx::AssertSqlSafe(deallocate);
    transaction.execute(deallocate).await.unwrap();
    transaction.rollback().await.unwrap();
    plan
}

/// How a plan reads the table of jobs, scan by scan.
fn collect_reads(plan: &Value, reads: &mut Vec<String>) {
    let inside: Vec<&Value> = match plan {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return,
    };
    let node = plan["Node Type"].as_str().unwrap_or_default();
    if plan["Relation Name"] == "jobs" && node.ends_with("Scan") {
        let filter = plan["Filter"].as_str().unwrap_or_default();
        reads.push(match plan["Index Name"].as_str() {
            Some(index) => format!("{node} by {index}"),
            None if filter.contains("hashed SubPlan") => format!("{node}, matched by hash"),
            None => node.to_owned(),
        });
    }
    inside.into_iter().for_each(|it| collect_reads(it, reads));
}
