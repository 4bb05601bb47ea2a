//! `pgq bench`: what it reports, and that it leaves nothing behind. Not how fast anything is.

use serde_json::Value;

use crate::support::Database;

const SMALL: [&str; 11] = [
    "bench",
    "--runs=2",
    "--jobs=1500",
    "--batch=700",
    "--duration=300ms",
    "--probes=5",
    "--producers=2",
    "--concurrency=10",
    "--format",
    "json",
    "--database-url",
];

async fn schemas(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgqueuer%'")
        .fetch_one(&database.pool)
        .await
        .unwrap()
}

/// All numbers of this name in a document.
fn numbers(document: &Value, name: &str) -> Vec<f64> {
    let inside: Vec<&Value> = match document {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    let own = document.get(name).and_then(Value::as_f64);
    let inside = inside.into_iter().flat_map(|it| numbers(it, name));
    own.into_iter().chain(inside).collect()
}

#[tokio::test]
async fn all_tests_are_measured_and_nothing_is_left() {
    let database = Database::new().await;
    let plot = std::env::temp_dir().join(format!("pgq-bench-{}.svg", std::process::id()));
    let mut args = SMALL.to_vec();
    args.push(&database.url);
    args.extend(["--plot", plot.to_str().unwrap()]);

    let ran = database.pgq(&args);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let tests: Vec<&str> = report["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["test"].as_str().unwrap())
        .collect();
    assert_eq!(tests, ["enqueue", "drain", "sustain", "latency", "burst"]);
    for name in ["jobs_per_second", "wal_bytes", "commits"] {
        let found = numbers(&report["tests"], name);
        assert_eq!(found.len(), 10, "{name}");
        assert!(found.iter().all(|it| *it > 0.0), "{name}: {found:?}");
    }
    let (p50, p99) = (numbers(&report, "p50_ms"), numbers(&report, "p99_ms"));
    assert_eq!((p50.len(), p99.len()), (4, 4));
    assert!(
        p50.iter()
            .zip(&p99)
            .all(|(p50, p99)| 0.0 < *p50 && p50 <= p99)
    );
    assert_eq!(numbers(&report["tests"][1], "jobs"), [1500.0, 1500.0]);
    let drawn = std::fs::read_to_string(&plot).unwrap();
    std::fs::remove_file(&plot).unwrap();
    assert!(drawn.contains("<svg") && drawn.contains("drain: jobs a second"));
    assert_eq!(schemas(&database).await, 0);
}

#[tokio::test]
async fn a_table_has_a_row_for_each_test() {
    let database = Database::new().await;

    let ran = database.pgq(&[
        "bench",
        "drain",
        "enqueue",
        "--runs=1",
        "--jobs=10",
        "--no-history",
    ]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = ran.stdout.lines().skip(3);
    let first: Vec<&str> = rows
        .filter_map(|it| it.split_whitespace().next())
        .take(3)
        .collect();
    assert_eq!(first, ["TEST", "drain", "enqueue"], "{}", ran.stdout);
}

#[tokio::test]
async fn a_schema_that_is_there_is_left_alone() {
    let database = Database::new().await;
    database.pgq(&["install", "--schema", "pgqueuer_bench"]);

    let ran = database.pgq(&["bench", "drain"]);

    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("pgq uninstall --schema pgqueuer_bench"),
        "{}",
        ran.stderr
    );
    assert_eq!(schemas(&database).await, 1);
}

#[tokio::test]
async fn what_is_out_of_range_is_refused() {
    let database = Database::new().await;

    for wrong in [
        ["bench", "--runs=0"],
        ["bench", "--jobs=0"],
        ["bench", "swim"],
    ] {
        assert_eq!(database.pgq(&wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(schemas(&database).await, 0);
}
