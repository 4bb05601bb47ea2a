//! Looking at what a queue is doing: once, again and again, and when it cannot be.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use expect_test::{Expect, expect};
use pgqueuer::{PgQueuer, store::WorkerReport};
use serde_json::Value;

use crate::support::{Database, Ran, pgq, run};

/// With a job that is held, two that are for later, a queue that is paused and a kind that is limited:
/// nothing that has an age.
async fn quiet() -> Database {
    let database = Database::with_jobs().await;
    let enqueue = ["enqueue", "send_welcome", r#"{"user_id": 42}"#];
    assert_eq!(database.pgq(&enqueue).code, 0);
    database
        .execute("UPDATE pgqueuer.jobs SET state = 'held'")
        .await;
    let pgq = PgQueuer::new(database.pool.clone());
    pgq.recount().await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            database
                .pgq(&[&enqueue[..], &["--delay", "2h"]].concat())
                .code,
            0
        );
    }
    assert_eq!(database.pgq(&["pause", "--queue", "mail"]).code, 0);
    let limit = ["limits", "set", "--kind", "cleanup", "--concurrency", "1"];
    assert_eq!(database.pgq(&limit).code, 0);
    database
}

#[tokio::test]
async fn the_backlog_is_shown_by_kind() {
    let database = Database::installed().await;
    database.pgq(&["backlog"]).succeeds(&expect![[r#"
        there is no job, and no worker has published any yet
    "#]]);
    let database = quiet().await;
    database.pgq(&["backlog"]).succeeds(&expect![[r#"
        KIND          QUEUE    WAITING  RUNNING  SCHEDULED  HELD  OLDEST  RATE/S  WAIT P50  WAIT P95  RUN P50  RUN P95  NOTE
        cleanup       default  0        0        0          0     -       0       -         -         -        -        limited
        send_welcome  mail     0        0        2          1     -       0       -         -         -        -        queue paused
        total                  0        0        2          1     -       0       -         -         -        -
    "#]]);
    let json = database.pgq(&["backlog", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let welcome = &json["kinds"][1];
    assert_eq!(welcome["kind"], "send_welcome");
    assert_eq!(
        (&welcome["held"], &welcome["scheduled"]),
        (&1.into(), &2.into())
    );
    assert_eq!(welcome["paused"]["queue"], "mail");
}

#[tokio::test]
async fn workers_are_shown_by_session() {
    let database = Database::installed().await;
    database.pgq(&["workers"]).succeeds(&expect![[r#"
        no worker is running
    "#]]);
    let store = PgQueuer::new(database.pool.clone());
    let lease = Duration::from_secs(36_000);
    let session = store.store().open_session("web-1", lease).await.unwrap();
    let report = WorkerReport {
        fronts: Vec::new(),
        concurrency: 20,
        running: [("send_welcome".to_owned(), 2)].into(),
    };
    store.store().report(session, &report).await.unwrap();

    let ran = database.pgq(&["workers"]);
    let words: Vec<&str> = ran.stdout.split_whitespace().collect();
    let [
        titles @ ..,
        session,
        name,
        _since,
        lease,
        state,
        running,
        of,
        at_most,
        kind,
        jobs,
    ] = words.as_slice()
    else {
        panic!("{}", ran.stdout);
    };
    assert_eq!(
        titles,
        [
            "SESSION", "NAME", "SINCE", "LEASE", "STATE", "RUNNING", "KINDS"
        ]
    );
    assert_eq!(
        (*session, *name, *lease, *state),
        ("1", "web-1", "9h59m", "busy")
    );
    assert_eq!((*running, *of, *at_most), ("2", "of", "20"));
    assert_eq!((*kind, *jobs), ("send_welcome", "2"));
    let json = database.pgq(&["workers", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["running"]["send_welcome"], 2);
}

/// Where there is no terminal it is shown once, whether that was asked for or not.
#[tokio::test]
async fn the_dashboard_is_shown_once() {
    let database = quiet().await;
    for args in [&["dashboard", "--once"][..], &["dashboard"]] {
        let Ran {
            code,
            stdout,
            stderr,
        } = database.pgq(args);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let (first, rest) = stdout.split_once('\n').unwrap();
        let sums = "0 waiting  0 running  2 scheduled  1 held  0/s  no worker ";
        assert!(first.starts_with(sums), "{first}");
        expect![[r#"
            KIND           NOTE     WAITING RUNNING SCHED HELD OLDEST RATE/S WAIT50 WAIT95 WAIT99 RUN50 RUN95 RUN99
            default                       0       0     0    0      -      0      -      -      -     -     -     -
              cleanup      limited        0       0     0    0      -      0      -      -      -     -     -     -
            mail           paused         0       0     2    1      -      0      -      -      -     -     -     -
              send_welcome (paused)       0       0     2    1      -      0      -      -      -     -     -     -
        "#]].assert_eq(rest);
    }
}

#[tokio::test]
async fn the_dashboard_writes_json_until_nobody_reads() {
    let database = quiet().await;
    let once = database.pgq(&["dashboard", "--once", "--format", "json"]);
    let once: Value = serde_json::from_str(&once.stdout).unwrap();
    assert_eq!(once["kinds"][1]["kind"], "send_welcome");

    let mut child = pgq(&["dashboard", "--interval", "0.2", "--format", "json"])
        .env("DATABASE_URL", &database.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut at = String::new();
    let mut read = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let now = line["at"].as_str().unwrap().to_owned();
        assert!(now > at, "{now} after {at}");
        at = now;
    };
    read();
    read();
    // It outlasts what fails.
    let pgq = PgQueuer::new(database.pool.clone());
    pgq.uninstall().await.unwrap();
    let mut troubles = BufReader::new(child.stderr.take().unwrap()).lines();
    let trouble = troubles.next().unwrap().unwrap();
    assert!(
        trouble.starts_with("failed to read what the queue is doing"),
        "{trouble}"
    );
    pgq.install().await.unwrap();
    read();
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn what_cannot_be_shown_has_its_exit_code() {
    let no_schema = Database::new().await;
    let commands: [&[&str]; 4] = [
        &["backlog"],
        &["workers"],
        &["dashboard", "--once"],
        &["dashboard", "--format", "json"],
    ];
    for args in commands {
        let Ran { code, stderr, .. } = no_schema.pgq(args);
        let expected = "error: failed to read what the queue is doing: the schema is missing";
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(code, 4);
        let away = "postgres://me@127.0.0.1:1/db";
        let Ran { code, stderr, .. } = run(pgq(args).env("DATABASE_URL", away));
        let expected = "error: failed to connect to database \"db\" at 127.0.0.1:1 as user \"me\"";
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(code, 3);
    }
    let refused = |args: &[&str], stderr: &Expect| run(&mut pgq(args)).fails(2, stderr);
    refused(
        &["dashboard", "--interval", "0.1"],
        &expect![[r#"
        error: invalid value '0.1' for '--interval <SECONDS>': it is a number of seconds, from 0.2 to 3600

        For more information, try '--help'.
    "#]],
    );
    refused(
        &["dashboard", "--interval", "soon"],
        &expect![[r#"
        error: invalid value 'soon' for '--interval <SECONDS>': it is a number of seconds, from 0.2 to 3600

        For more information, try '--help'.
    "#]],
    );
}
