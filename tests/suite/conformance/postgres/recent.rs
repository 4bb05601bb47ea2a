//! The history, newest first: whatever its size, only its end is read.

use pgqueuer::{HistoryFilter, HistoryPage, HistoryPlace};
use serde_json::Value;
use sqlx::{Executor as _, Row as _};

use super::super::postgres_only;
use crate::backend::Database;

postgres_only! {
    on_postgres:
    is_the_same_over_many_partitions,
    reads_no_more_than_its_end,
    ends_a_page_that_would_take_too_much,
}

/// Records, a millisecond apart, the last one of now. Each is kept for as many days as `days` says.
async fn fill(database: &Database, records: u32, days: &str) {
    for _ in 0..20 {
        database.store().tend_history().await.unwrap();
    }
    let text = format!(
        "INSERT INTO pgqueuer.history
             (job_id, enqueued_at, claimed_at, finished_at, expires_at, ending, attempt, priority, kind)
         SELECT id, at, at, at, at + make_interval(days => {days}), 'completed', 1, 0,
             CASE WHEN id = 1 THEN 'rare' ELSE 'mail' END
         FROM (
             SELECT id, now() - make_interval(secs => ($1 - id) * 0.001) AS at
             FROM generate_series(1, $1) AS id
         ) AS finished
         ORDER BY id",
    );
    let insert = sqlx::query(database.sql(&text)).bind(i64::from(records));
    insert.execute(database.pool()).await.unwrap();
}

fn ids(page: &HistoryPage) -> Vec<i64> {
    page.jobs.iter().map(|it| it.id.as_i64()).collect()
}

async fn is_the_same_over_many_partitions(database: &Database) {
    // Also days that are not prepared, and are in the partition that takes the rest.
    fill(
        database,
        40_000,
        "CASE id % 3 WHEN 0 THEN 7 WHEN 1 THEN 9 ELSE 40 END",
    )
    .await;
    let store = database.store();
    let (mut listed, mut below) = (Vec::new(), None);
    let all = HistoryFilter::all();
    while listed.len() < 35_000 {
        let page = store.list_history(&all, below, 7001).await.unwrap();
        listed.extend(ids(&page));
        below = page.next;
    }
    let expected: Vec<i64> = (1..=40_000).rev().take(listed.len()).collect();
    assert!(listed == expected, "some are missing, or in another order");

    let middle = HistoryPlace::before(time_of(database, 20_000).await);
    let page = store.list_history(&all, Some(middle), 2).await.unwrap();
    assert_eq!(ids(&page), [19_999, 19_998]);
}

async fn time_of(database: &Database, id: i64) -> chrono::DateTime<chrono::Utc> {
    let time = "SELECT finished_at FROM pgqueuer.history WHERE job_id = $1";
    let time = sqlx::query_scalar(database.sql(time)).bind(id);
    time.fetch_one(database.pool()).await.unwrap()
}

async fn reads_no_more_than_its_end(database: &Database) {
    fill(database, 100_000, "7").await;
    let parts = include_str!("../../../../pgqueuer/src/postgres/sql/history_parts.sql");
    let rows = sqlx::query(database.sql(parts));
    let rows = rows.fetch_all(database.pool()).await.unwrap();
    let blocks: i64 = rows.iter().map(|it| it.get::<i64, _>("blocks")).sum();
    assert!(blocks > 900, "{blocks}");

    for (text, types, rest) in [
        (
            include_str!("../../../../pgqueuer/src/postgres/sql/list_history.sql"),
            "timestamptz, timestamptz, bigint, bigint, text[], text, timestamptz, timestamptz, bigint, bigint",
            "100, 164, NULL, NULL, NULL, NULL, NULL, 50",
        ),
        (
            include_str!("../../../../pgqueuer/src/postgres/sql/history_newest.sql"),
            "timestamptz[], timestamptz[], bigint[], bigint[]",
            "'{100}', '{164}'",
        ),
    ] {
        let mut transaction = database.pool().begin().await.unwrap();
        let generic = "SET LOCAL plan_cache_mode = force_generic_plan";
        transaction.execute(generic).await.unwrap();
        let prepare = database.sql(&format!("PREPARE listed ({types}) AS {text}"));
        transaction.execute(sqlx::raw_sql(prepare)).await.unwrap();
        let day =
            "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '168 hours'";
        let days = match types.starts_with("timestamptz[]") {
            true => format!("ARRAY[{day}], ARRAY[{day} + interval '24 hours']"),
            false => format!("{day}, {day} + interval '24 hours'"),
        };
        let explain =
            format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT json) EXECUTE listed({days}, {rest})");
        let plan: Value = sqlx::query_scalar(database.sql(&explain))
            .persistent(false)
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        let mut scans = Vec::new();
        collect_scans(&plan, &mut scans);
        assert_eq!(scans, ["Tid Range Scan"], "{plan:#}");
        let pages = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
        let read = pages("Shared Hit Blocks") + pages("Shared Read Blocks");
        assert!((64..120).contains(&read), "{read} blocks: {plan:#}");
        transaction.execute("DEALLOCATE listed").await.unwrap();
    }
}

/// The scans of the history that were carried out.
fn collect_scans(plan: &Value, scans: &mut Vec<String>) {
    let inside: Vec<&Value> = match plan {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return,
    };
    let relation = plan["Relation Name"].as_str().unwrap_or_default();
    if relation.starts_with("history") && plan["Actual Loops"] != 0 {
        scans.push(plan["Node Type"].as_str().unwrap_or_default().to_owned());
    }
    inside.into_iter().for_each(|it| collect_scans(it, scans));
}

async fn ends_a_page_that_would_take_too_much(database: &Database) {
    // Over 4,096 blocks.
    fill(database, 500_000, "7").await;
    let store = database.store();
    let rare = HistoryFilter::all().kind("rare");

    let (mut pages, mut below, mut listed) = (0, None, Vec::new());
    loop {
        let page = store.list_history(&rare, below, 10).await.unwrap();
        pages += 1;
        listed.extend(ids(&page));
        assert!(page.next < below || below.is_none(), "it goes on");
        below = page.next;
        if below.is_none() {
            break;
        }
    }
    assert_eq!(listed, [1]);
    assert!((2..5).contains(&pages), "{pages} pages");
}
