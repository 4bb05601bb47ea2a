//! Installing, checking and removing the schema.

#[cfg(unix)]
use std::process::Stdio;

use expect_test::expect;
use pgqueuer::PgQueuer;
use sqlx::AssertSqlSafe;

use crate::support::{Database, pgq, run};

#[tokio::test]
async fn install_is_idempotent_and_says_what_it_did() {
    let database = Database::new().await;
    database.pgq(&["verify"]).fails(4, &expect![[r#"
        error: schema "pgqueuer" is not installed in this database; run `pgq install` (or the `install` command of your worker)
    "#]]);
    database.pgq(&["upgrade"]).fails(
        4,
        &expect![[r#"
        error: schema "pgqueuer" is not installed in this database; use `install` to create it
    "#]],
    );
    database.pgq(&["install"]).succeeds(&expect![[r#"
        installed schema "pgqueuer" at version 1
    "#]]);
    database.pgq(&["install"]).succeeds(&expect![[r#"
        schema "pgqueuer" is at version 1 already
    "#]]);
    database.pgq(&["upgrade"]).succeeds(&expect![[r#"
        schema "pgqueuer" is at version 1 already
    "#]]);
    database.pgq(&["verify"]).succeeds(&expect![[r#"
        schema "pgqueuer" is at version 1, which is what this program needs
    "#]]);
    let json = database.pgq(&["verify", "--format", "json"]);
    json.succeeds(&expect![[r#"
        {
          "schema": "pgqueuer",
          "version": 1
        }
    "#]]);
}

#[tokio::test]
async fn every_command_says_that_the_schema_is_missing() {
    let database = Database::new().await;
    for command in ["verify", "upgrade", "uninstall", "kinds"] {
        let ran = database.pgq(&[command]);
        assert_eq!(ran.code, 4, "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("install"), "{command}: {}", ran.stderr);
    }
    assert_eq!(database.pgq(&["enqueue", "x"]).code, 4);
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let database = Database::installed().await;
    database
        .execute("INSERT INTO pgqueuer.migrations VALUES (99, 'future', '')")
        .await;
    for command in ["verify", "install", "upgrade"] {
        let ran = database.pgq(&[command]);
        assert_eq!(ran.code, 4, "{command}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("use a newer pgqueuer"),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn an_older_schema_is_to_be_upgraded() {
    let database = Database::installed().await;
    // There is no version before the first, but a ledger can say so.
    database
        .execute(
            "DELETE FROM pgqueuer.migrations WHERE version > 1;
             UPDATE pgqueuer.migrations SET version = 0",
        )
        .await;
    let ran = database.pgq(&["verify"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("run `pgq upgrade`"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_printed_sql_makes_a_schema_that_verifies() {
    let database = Database::new().await;
    let odd = ["--schema", "odd Schema"];
    let printed = run(&mut pgq(&[&odd[..], &["sql"]].concat()));
    assert_eq!(printed.code, 0, "{}", printed.stderr);

    sqlx::raw_sql(AssertSqlSafe(printed.stdout))
        .execute(&database.pool)
        .await
        .unwrap();

    let verified = database.pgq(&[&["verify"], &odd[..]].concat());
    verified.succeeds(&expect![[r#"
        schema "odd Schema" is at version 1, which is what this program needs
    "#]]);
    assert_eq!(database.pgq(&["verify"]).code, 4);
    let gone = database.pgq(&[&["uninstall", "--yes"], &odd[..]].concat());
    gone.succeeds(&expect![[r#"
        removed schema "odd Schema" with no unfinished jobs
    "#]]);
}

#[test]
fn a_schema_name_that_cannot_be_is_wrong_usage() {
    run(&mut pgq(&["--schema", "pg_mine", "sql"])).fails(2, &expect![[r#"
        error: invalid value 'pg_mine' for '--schema <NAME>': schema name "pg_mine" begins with `pg_`, which PostgreSQL keeps for itself

        For more information, try '--help'.
    "#]]);
}

#[tokio::test]
async fn uninstall_asks_twice_while_there_are_jobs() {
    let database = Database::with_jobs().await;
    database.pgq(&["enqueue", "cleanup"]);
    database.pgq(&["enqueue", "cleanup", "--delay", "1h"]);

    database.pgq(&["uninstall", "--yes"]).fails(5, &expect![[r#"
        error: schema "pgqueuer" has 2 unfinished jobs (1 scheduled, 1 available); add --delete-jobs to lose them
    "#]]);
    database
        .pgq(&["uninstall", "--delete-jobs"])
        .fails(5, &expect![[r#"
            error: this would remove schema "pgqueuer" with 2 unfinished jobs (1 scheduled, 1 available) and all history; add --yes to do it
        "#]]);
    assert_eq!(database.count_jobs().await, 2);

    database
        .pgq(&["uninstall", "--yes", "--delete-jobs"])
        .succeeds(&expect![[r#"
            removed schema "pgqueuer" with 2 unfinished jobs (1 scheduled, 1 available)
        "#]]);
    let pgq = PgQueuer::new(database.pool.clone());
    assert_eq!(pgq.installed_version().await.unwrap(), None);
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = pgq(&["sql"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Most likely before anything was written.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
}
