//! How tables are kept and vacuumed: `durability` and `autovacuum`.

use expect_test::expect;
use pgqueuer::PgQueuer;
#[cfg(unix)]
use throwaway_postgres::{Postgres, Shutdown};

use crate::support::{Database, HOLD, pgq, run};

/// The days that are prepared have dates in their names.
fn without_dates(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let words = line.split_whitespace().map(|word| {
            let word = word.trim_end_matches(',');
            match word.strip_prefix("history_2") {
                Some(_) => "history_DAY",
                None => word,
            }
        });
        let mut words: Vec<&str> = words.collect();
        words.dedup();
        lines.push(words.join(" "));
    }
    lines.dedup();
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn tables_are_logged_or_not_and_keep_their_rows() {
    let database = Database::with_jobs().await;
    let job = database.enqueue(&["send_welcome", r#"{"user_id": 1}"#]);
    database.execute(HOLD).await;
    assert_eq!(database.pgq(&["jobs", "discard", &job]).code, 0);
    database.enqueue(&["cleanup"]);

    database.pgq(&["durability"]).succeeds(&expect![[r#"
        durable: a crash of the server loses nothing
    "#]]);
    let refused = database.pgq(&["durability", "balanced"]);
    assert_eq!(refused.code, 5);
    expect![[r#"
        error: a crash of the server, or a failover, would lose the history, with results; 5 tables would be written anew, while workers wait; add --yes to do it, or --dry-run to see them
    "#]].assert_eq(&refused.stderr);
    let dry = database.pgq(&["durability", "volatile", "--dry-run"]);
    expect![[r#"
        TABLE BECOMES
        counts unlogged
        history_DAY unlogged
        history_default unlogged
        jobs unlogged
        progress unlogged
        unique_keys unlogged
        this would change 8 tables
    "#]]
    .assert_eq(&without_dates(&dry.stdout));

    let changed = database.pgq(&["durability", "volatile", "--yes"]);
    assert_eq!((changed.code, changed.stderr.as_str()), (0, ""));
    expect![[r#"
        TABLE BECOMES
        history_default unlogged
        counts unlogged
        history_DAY unlogged
        jobs unlogged
        progress unlogged
        unique_keys unlogged
        the queue is volatile now
    "#]]
    .assert_eq(&without_dates(&changed.stdout));
    let shown = database.pgq(&["durability"]);
    expect![[r#"
        volatile: a crash of the server or a failover would lose all jobs and the history
        unlogged: counts history_DAY history_default jobs progress unique_keys
    "#]]
    .assert_eq(&without_dates(&shown.stdout));
    assert_eq!(database.pgq(&["verify"]).code, 0);
    assert_eq!(database.pgq(&["jobs", "show", &job]).code, 0);
    assert_eq!(database.count_jobs().await, 1);
    // Numbers must not come again after a crash.
    let sequences = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relpersistence = 'u'";
    let unlogged: i64 = sqlx::query_scalar(sequences)
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(unlogged, 0);

    // Of these, jobs become durable again, which endangers nothing.
    let balanced = database.pgq(&["durability", "balanced"]);
    assert_eq!((balanced.code, balanced.stderr.as_str()), (0, ""));
    let durable = database.pgq(&["durability", "durable"]);
    expect![[r#"
        TABLE BECOMES
        history_default logged
        history_DAY logged
        progress logged
        the queue is durable now
    "#]]
    .assert_eq(&without_dates(&durable.stdout));
    database
        .pgq(&["durability", "durable"])
        .succeeds(&expect![[r#"
            the queue is durable already
        "#]]);
    let json = database.pgq(&["durability", "--format", "json"]);
    json.succeeds(&expect![[r#"
        {
          "durability": "durable",
          "unlogged": []
        }
    "#]]);
    assert_eq!(database.pgq(&["jobs", "show", &job]).code, 0);
}

#[tokio::test]
async fn new_days_are_kept_as_the_others_are() {
    let database = Database::with_jobs().await;
    let unlogged = "SELECT count(*) FROM pg_class WHERE relname LIKE 'history\\_2%' AND relkind = 'r' \
                    AND relpersistence = 'u'";
    let count = async || {
        let count = sqlx::query_scalar::<_, i64>(unlogged);
        count.fetch_one(&database.pool).await.unwrap()
    };
    assert_eq!(database.pgq(&["durability", "balanced", "--yes"]).code, 0);
    let before = count().await;
    database
        .execute("UPDATE pgqueuer.kinds SET retain_seconds = 30 * 24 * 60 * 60")
        .await;
    let pgq = PgQueuer::new(database.pool.clone());
    while !pgq.store().tend_history().await.unwrap().is_idle() {}
    assert_eq!(count().await, before + 3);
    let shown = database.pgq(&["durability", "--format", "json"]);
    assert!(shown.stdout.contains("\"balanced\""), "{}", shown.stdout);
}

#[tokio::test]
async fn a_table_that_was_changed_by_hand_is_told_of() {
    let database = Database::with_jobs().await;
    database
        .execute("ALTER TABLE pgqueuer.kinds SET UNLOGGED")
        .await;
    database.pgq(&["durability"]).succeeds(&expect![[r#"
        neither volatile nor balanced nor durable: say which it is to be
        unlogged: kinds
    "#]]);
    let mended = database.pgq(&["durability", "durable"]);
    mended.succeeds(&expect![[r#"
        TABLE  BECOMES
        kinds  logged
        the queue is durable now
    "#]]);
}

#[tokio::test]
async fn vacuuming_is_shown_changed_and_changed_back() {
    let database = Database::with_jobs().await;
    let settings = async || {
        let pgq = PgQueuer::new(database.pool.clone());
        let tables = pgq.list_tables().await.unwrap();
        let settings = tables.into_iter().map(|it| (it.name, it.settings));
        settings.collect::<Vec<_>>()
    };
    let installed = settings().await;
    let line = |text: &str| {
        let mut lines = text.lines().filter(|it| it.starts_with("jobs "));
        let words = lines.next().unwrap().split_whitespace();
        let settings = words.filter(|it| it.contains('='));
        settings.collect::<Vec<_>>().join(" ") + "\n"
    };
    let shown = database.pgq(&["autovacuum"]);
    expect![[r#"
        analyze_scale_factor=0.1, vacuum_scale_factor=0.02, vacuum_threshold=1000
    "#]]
    .assert_eq(&line(&shown.stdout));
    let recommended = database.pgq(&["autovacuum", "recommended"]);
    assert_eq!((recommended.code, recommended.stderr.as_str()), (0, ""));
    expect![[r#"
        analyze_scale_factor=0.1, vacuum_cost_delay=0, vacuum_scale_factor=0.01, vacuum_threshold=1000, toast.vacuum_cost_delay=0, toast.vacuum_scale_factor=0.01, toast.vacuum_threshold=1000, toast.vacuum_truncate=off, vacuum_truncate=off
    "#]].assert_eq(&line(&recommended.stdout));
    assert_ne!(settings().await, installed);
    let json = database.pgq(&["autovacuum", "default", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["is_logged"], true);
    assert_eq!(settings().await, installed);
}

#[tokio::test]
async fn statements_for_vacuuming_are_printed_for_the_schema() {
    let odd = [
        "--schema",
        "odd Schema",
        "autovacuum",
        "default",
        "--dry-run",
    ];
    run(&mut pgq(&odd)).succeeds(&expect![[r#"
        -- As the schema is installed.
        ALTER TABLE "odd Schema".jobs SET (
            autovacuum_vacuum_scale_factor = 0.02,
            autovacuum_vacuum_threshold = 1000,
            autovacuum_analyze_scale_factor = 0.1
        );
        ALTER TABLE "odd Schema".jobs RESET (
            autovacuum_vacuum_cost_delay,
            vacuum_truncate,
            toast.autovacuum_vacuum_scale_factor,
            toast.autovacuum_vacuum_threshold,
            toast.autovacuum_vacuum_cost_delay,
            toast.vacuum_truncate
        );
        ALTER TABLE "odd Schema".counts RESET (
            autovacuum_vacuum_cost_delay
        );
        ALTER TABLE "odd Schema".unique_keys RESET (
            autovacuum_vacuum_scale_factor,
            autovacuum_vacuum_threshold,
            autovacuum_vacuum_cost_delay,
            vacuum_truncate
        );
    "#]]);
    // What is printed is what is run.
    let database = Database::installed().await;
    for settings in ["recommended", "default"] {
        let printed = run(&mut pgq(&["autovacuum", settings, "--dry-run"]));
        let sql = sqlx::AssertSqlSafe(printed.stdout);
        sqlx::raw_sql(sql).execute(&database.pool).await.unwrap();
    }
}

/// Which of two jobs is known after a crash: one that waits, and one that was cancelled.
#[cfg(unix)]
fn after_a_crash(durability: &str) -> [bool; 2] {
    let mut server = Postgres::builder().durable(true).start().unwrap();
    let url = server.url("postgres");
    let on = |args: &[&str]| run(pgq(args).env("DATABASE_URL", &url));
    assert_eq!(on(&["install"]).code, 0);
    let enqueue = || {
        on(&["enqueue", "x", "--unchecked"])
            .stdout
            .trim()
            .to_owned()
    };
    let (waiting, cancelled) = (enqueue(), enqueue());
    assert_eq!(on(&["jobs", "cancel", &cancelled]).code, 0);
    let changed = on(&["durability", durability, "--yes"]);
    assert_eq!(changed.code, 0, "{}", changed.stderr);

    server.shut_down(Shutdown::Immediate).unwrap();
    server.start_again().unwrap();

    assert_eq!(on(&["verify"]).code, 0);
    [waiting, cancelled].map(|id| on(&["jobs", "show", &id]).code == 0)
}

#[cfg(unix)]
#[test]
fn a_crash_loses_what_was_said_and_no_more() {
    assert_eq!(after_a_crash("durable"), [true, true]);
    assert_eq!(after_a_crash("balanced"), [true, false]);
    assert_eq!(after_a_crash("volatile"), [false, false]);
}
