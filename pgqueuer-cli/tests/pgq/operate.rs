//! Limits, pauses, and what becomes of jobs.

use expect_test::expect;
use pgqueuer::{PgQueuer, prelude::*};

use crate::support::{Database, HOLD, SendWelcome};

/// Enqueues, and returns the id.
fn enqueue(database: &Database, args: &[&str]) -> String {
    let ran = database.pgq(&[&["enqueue"], args].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.trim().to_owned()
}

async fn state(database: &Database, id: &str) -> String {
    let pgq = PgQueuer::new(database.pool.clone());
    let job = pgq.get_job(id.parse::<JobId>().unwrap()).await.unwrap();
    job.map_or("gone", |it| it.state.as_str()).to_owned()
}

#[tokio::test]
async fn limits_are_set_listed_and_reset() {
    let database = Database::with_jobs().await;
    database.pgq(&["limits"]).succeeds(&expect![[r#"
        nothing is limited, and nothing is paused
    "#]]);
    let set = [
        "limits",
        "set",
        "--kind",
        "send_welcome",
        "--concurrency",
        "5",
        "--rate",
        "10/min burst 5",
    ];
    database.pgq(&set).succeeds(&expect![[r#"
        SCOPE  NAME          AT ONCE  RATE            ORIGIN
        kind   send_welcome  5        10/min burst 5  set by hand
    "#]]);
    database
        .pgq(&["limits", "set", "--queue", "mail", "--rate", "100/s"])
        .succeeds(&expect![[r#"
            SCOPE  NAME  RATE   ORIGIN
            queue  mail  100/s  set by hand
        "#]]);
    database
        .pgq(&["limits", "set", "--kind", "send_welcome", "--rate", "none"])
        .succeeds(&expect![[r#"
            SCOPE  NAME          AT ONCE  ORIGIN
            kind   send_welcome  5        set by hand
        "#]]);
    database
        .pgq(&["limits", "reset", "--kind", "send_welcome"])
        .succeeds(&expect![[r#"
            kind `send_welcome` has no limits
        "#]]);
    let json = database.pgq(&["limits", "list", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["name"], "mail");
    assert_eq!(json[0]["rate"], "100/s");
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused() {
    let database = Database::with_jobs().await;
    let set = |args: &[&str]| database.pgq(&[&["limits", "set"], args].concat());
    set(&["--kind", "send_welcome"]).fails(
        2,
        &expect![[r#"
        error: no limit is given; add `--concurrency 5`, `--rate 100/s` or another
    "#]],
    );
    set(&["--kind", "send_welcom", "--concurrency", "1"]).fails(
        5,
        &expect![[r#"
        error: no worker has published the kind `send_welcom`; did you mean `send_welcome`?
    "#]],
    );
    set(&["--queue", "post", "--concurrency", "1"]).fails(
        5,
        &expect![[r#"
        error: no job that is known belongs to queue `post`; known are default, mail
    "#]],
    );
    set(&["--kind", "send_welcome", "--concurrency", "0"]).fails(2, &expect![[r#"
        error: kind `send_welcome`: concurrency is 0, at least 1 is needed; to keep jobs from running, pause them
    "#]]);
    set(&["--kind", "send_welcome", "--concurrency-per-key", "1"]).fails(2, &expect![[r#"
        error: the jobs of kind `send_welcome` have no keys; say by which argument, as in `#[job(concurrency(limit = 1, by = customer))]`
    "#]]);
    let rate = set(&["--kind", "send_welcome", "--rate", "10"]);
    assert_eq!(rate.code, 2);
    assert!(
        rate.stderr.contains("`10` is not a rate"),
        "{}",
        rate.stderr
    );
    assert_eq!(set(&["--concurrency", "1"]).code, 2);
}

#[tokio::test]
async fn kinds_and_queues_are_paused_and_resumed() {
    let database = Database::with_jobs().await;
    database
        .pgq(&["pause", "--kind", "send_welcome"])
        .succeeds(&expect![[r#"
        paused kind `send_welcome`
    "#]]);
    database
        .pgq(&["pause", "--kind", "send_welcome"])
        .succeeds(&expect![[r#"
        kind `send_welcome` is paused already
    "#]]);
    database
        .pgq(&["pause", "--queue", "mail"])
        .succeeds(&expect![[r#"
        paused queue `mail`
    "#]]);
    database.pgq(&["pause", "--all"]).succeeds(&expect![[r#"
        paused everything
    "#]]);
    let json = database.pgq(&["limits", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert!(json[0]["paused_at"].is_string());
    database.pgq(&["resume", "--all"]).succeeds(&expect![[r#"
        resumed everything
    "#]]);
    database.pgq(&["resume", "--all"]).succeeds(&expect![[r#"
        everything is not paused
    "#]]);
    assert_eq!(database.pgq(&["pause"]).code, 2);
    assert_eq!(database.pgq(&["pause", "--kind", "nothing"]).code, 5);
}

#[tokio::test]
async fn a_job_with_a_key_is_enqueued_once() {
    let database = Database::with_jobs().await;
    let args = ["send_welcome", r#"{"user_id": 42}"#, "--unique-key", "42"];
    let first = enqueue(&database, &args);

    let second = database.pgq(&[&["enqueue"], &args[..]].concat());

    assert_eq!((second.code, second.stdout.trim()), (0, first.as_str()));
    assert_eq!(
        second.stderr,
        format!("job {first} has its key already; nothing was enqueued\n")
    );
    assert_eq!(database.count_jobs().await, 1);
}

#[tokio::test]
async fn jobs_are_listed_and_shown() {
    let database = Database::with_jobs().await;
    let waiting = enqueue(
        &database,
        &[
            "send_welcome",
            r#"{"user_id": 42}"#,
            "--header",
            "tenant=acme",
        ],
    );
    database.execute(HOLD).await;
    let pgq = PgQueuer::new(database.pool.clone());
    let job = SendWelcome {
        user_id: 1,
        locale: None,
    };
    let framed = job.enqueue(&pgq).await.unwrap().id().to_string();

    let listed = database.pgq(&["jobs", "list", "--kind", "send_welcome"]);
    let shown = database.pgq(&["jobs", "show", &waiting]);
    let unreadable = database.pgq(&["jobs", "show", &framed]);
    let json = database.pgq(&["jobs", "show", &waiting, "--format", "json"]);

    assert_eq!(
        (listed.code, listed.stdout.lines().count()),
        (0, 3),
        "{}",
        listed.stdout
    );
    assert!(listed.stdout.contains("no such user"), "{}", listed.stdout);
    for line in [
        "state     held",
        r#"arguments {"user_id":42}"#,
        "header    tenant: acme",
        "attempt 25 ended at 2030-01-01T00:00:00+00:00: panic",
        "  no such user",
        "  and no mail",
        "  at main.rs:1",
    ] {
        assert!(
            shown.stdout.lines().any(|it| it == line),
            "{line}\n{}",
            shown.stdout
        );
    }
    assert!(
        unreadable
            .stdout
            .contains("arguments send_welcome(user_id: i64, locale: Option<String>)\n"),
        "{}",
        unreadable.stdout
    );
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["arguments"]["user_id"], 42);
    database.pgq(&["jobs", "show", "123456"]).fails(
        5,
        &expect![[r#"
        error: there is no job 123456, or its record has expired
    "#]],
    );
    database
        .pgq(&["jobs", "list", "--state", "running", "--all"])
        .succeeds(&expect![[r#"
        there is no such job
    "#]]);
    database.pgq(&["jobs", "list"]).fails(
        2,
        &expect![[r#"
        error: no job is named; give ids, `--kind NAME` or another option, or `--all`
    "#]],
    );
}

#[tokio::test]
async fn results_and_progress_are_shown() {
    let database = Database::with_jobs().await;
    let id = enqueue(&database, &["send_welcome", r#"{"user_id": 42}"#]);
    database
        .execute("UPDATE pgqueuer.jobs SET claimed_by = 1, claim_number = 1")
        .await;
    database
        .execute("INSERT INTO pgqueuer.progress SELECT id, 1, 0.4, 'fetched' FROM pgqueuer.jobs")
        .await;
    let running = database.pgq(&["jobs", "show", &id]);
    let listed = database.pgq(&["jobs", "list", "--all"]);
    database
        .execute(
            "WITH ended AS (DELETE FROM pgqueuer.jobs RETURNING *) \
             INSERT INTO pgqueuer.history SELECT id, enqueued_at, now(), now(), now() + '1 day', \
             'completed', 1, 0, kind, '[]', '{\"sent\": 3}' FROM ended",
        )
        .await;
    let done = database.pgq(&["jobs", "show", &id]);

    let line = "progress  40 % fetched";
    assert!(
        running.stdout.lines().any(|it| it == line),
        "{}",
        running.stdout
    );
    assert!(listed.stdout.contains("running 40 %"), "{}", listed.stdout);
    let line = r#"result    {"sent":3}"#;
    assert!(done.stdout.lines().any(|it| it == line), "{}", done.stdout);
}

#[tokio::test]
async fn jobs_are_cancelled_requeued_and_discarded() {
    let database = Database::with_jobs().await;
    let ids: Vec<String> = (0..3)
        .map(|user| {
            enqueue(
                &database,
                &["send_welcome", &format!(r#"{{"user_id": {user}}}"#)],
            )
        })
        .collect();

    database
        .pgq(&["jobs", "cancel", "--kind", "send_welcome"])
        .fails(
            5,
            &expect![[r#"
        error: this would cancel 3 jobs; add --yes to do it, or --dry-run to see of which kinds
    "#]],
        );
    database
        .pgq(&["jobs", "cancel", "--all", "--dry-run"])
        .succeeds(&expect![[r#"
            KIND          STATE      JOBS
            send_welcome  available  3
            this would cancel 3 jobs
        "#]]);
    assert_eq!(state(&database, &ids[0]).await, "available");
    database
        .pgq(&["jobs", "cancel", &ids[0], "--reason", "a mistake"])
        .succeeds(&expect![[r#"
        cancelled 1 that waited
    "#]]);
    let shown = database.pgq(&["jobs", "show", &ids[0]]);
    assert!(shown.stdout.contains("a mistake"), "{}", shown.stdout);

    database.execute(HOLD).await;
    let requeue = [
        "jobs",
        "requeue",
        &ids[1],
        "--arguments",
        r#"{"user_id": 7}"#,
        "--delay",
        "1h",
    ];
    database.pgq(&requeue).succeeds(&expect![[r#"
        requeued 1
    "#]]);
    assert_eq!(state(&database, &ids[1]).await, "scheduled");
    let shown = database.pgq(&["jobs", "show", &ids[1]]);
    assert!(
        shown
            .stdout
            .contains(r#"{"user_id": 7}"#.replace(": ", ":").as_str()),
        "{}",
        shown.stdout
    );
    database
        .pgq(&["jobs", "requeue", &ids[1], "--arguments", "[]"])
        .fails(
            5,
            &expect![[r#"
                error: the arguments are not a JSON object; write each by its name: {"user_id": 42}
            "#]],
        );

    database
        .pgq(&["jobs", "discard", "--all", "--yes"])
        .succeeds(&expect![[r#"
        discarded 1
    "#]]);
    let states = [
        state(&database, &ids[0]).await,
        state(&database, &ids[1]).await,
        state(&database, &ids[2]).await,
    ];
    assert_eq!(states, ["cancelled", "scheduled", "discarded"]);
}
