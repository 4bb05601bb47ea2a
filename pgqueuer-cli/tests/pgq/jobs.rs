//! What workers have published, and enqueueing what they can run.

use std::{io::Write as _, process::Stdio};

use expect_test::expect;
use pgqueuer::{PgQueuer, prelude::*};

use crate::support::{Database, SendWelcome, pgq};

#[tokio::test]
async fn jobs_are_listed_as_published() {
    let database = Database::with_jobs().await;
    database.pgq(&["kinds"]).succeeds(&expect![[r#"
        KIND          QUEUE    SCHEDULE         ARGUMENTS                             ATTEMPTS  SOURCE
        cleanup       default  0 0 1 1 * (UTC)                                        25        pgqueuer-cli/tests/pgq/support.rs:26
        send_welcome  mail                      user_id: i64, locale: Option<String>  25        pgqueuer-cli/tests/pgq/support.rs:21
    "#]]);
    let json = database.pgq(&["kinds", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[1]["arguments"][0]["type"], "i64");
}

#[tokio::test]
async fn before_any_worker_no_job_is_known() {
    let database = Database::installed().await;
    database.pgq(&["kinds"]).succeeds(&expect![[r#"
        no worker has published a job yet; a worker does so at its start
    "#]]);
    database
        .pgq(&["enqueue", "send_welcome"])
        .fails(5, &expect![[r#"
            error: no worker has published the kind `send_welcome`, nor any other yet (--unchecked lets it pass)
        "#]]);
}

#[tokio::test]
async fn an_enqueued_job_is_as_it_was_asked_for() {
    let database = Database::with_jobs().await;
    let pgq = PgQueuer::new(database.pool.clone());
    let enqueue = |args: &[&str]| {
        let ran = database.pgq(&[&["enqueue", "send_welcome"], args].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim().parse::<JobId>().unwrap()
    };

    let plain = enqueue(&[r#"{"user_id": 42}"#]);
    let special = enqueue(&[
        r#"{"user_id": 43, "locale": "nb"}"#,
        "--priority=-7",
        "--delay",
        "1h",
        "--header",
        "tenant=acme=1",
    ]);

    let plain = pgq.get_job(plain).await.unwrap().unwrap();
    assert_eq!((plain.state.as_str(), plain.priority), ("available", 3));
    let special = pgq.get_job(special).await.unwrap().unwrap();
    assert_eq!(
        (special.state.as_str(), special.priority),
        ("scheduled", -7)
    );
    assert_eq!(special.headers["tenant"], "acme=1");
    let job: SendWelcome = special.payload.unwrap().decode().unwrap();
    assert_eq!((job.user_id, job.locale.as_deref()), (43, Some("nb")));
}

#[tokio::test]
async fn arguments_can_come_through_a_pipe() {
    let database = Database::with_jobs().await;
    let mut child = pgq(&["enqueue", "send_welcome", "-"])
        .env("DATABASE_URL", &database.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"user_id\": 1}\n").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(database.count_jobs().await, 1);
}

#[tokio::test]
async fn what_no_worker_could_run_is_refused() {
    let database = Database::with_jobs().await;
    let enqueue = |args: &[&str]| database.pgq(&[&["enqueue"], args].concat());

    enqueue(&["send_welcom"]).fails(5, &expect![[r#"
        error: no worker has published the kind `send_welcom`; did you mean `send_welcome`? (--unchecked lets it pass)
    "#]]);
    enqueue(&["xyz"]).fails(5, &expect![[r#"
        error: no worker has published the kind `xyz`; known are cleanup, send_welcome (--unchecked lets it pass)
    "#]]);
    enqueue(&["has space", "--unchecked"]).fails(
        5,
        &expect![[r#"
        error: kind "has space" contains white space or control characters
    "#]],
    );
    enqueue(&["send_welcome", "{user_id: 1}"]).fails(
        5,
        &expect![[r#"
        error: the arguments are not JSON
        caused by: key must be a string at line 1 column 2
    "#]],
    );
    enqueue(&["send_welcome", "[1]"]).fails(
        5,
        &expect![[r#"
        error: the arguments are not a JSON object; write each by its name: {"user_id": 42}
    "#]],
    );
    enqueue(&["send_welcome", "{}"]).fails(5, &expect![[r#"
        error: `send_welcome(user_id: i64, locale: Option<String>)` needs the argument `user_id`, unless that has a default; --unchecked lets it pass
    "#]]);
    enqueue(&["send_welcome", r#"{"user_id": 1, "local": "nb"}"#]).fails(5, &expect![[r#"
        error: `send_welcome(user_id: i64, locale: Option<String>)` has no argument `local`; --unchecked lets it pass
    "#]]);
    assert_eq!(database.count_jobs().await, 0);

    let unchecked = enqueue(&["xyz", "--unchecked"]);
    assert_eq!(unchecked.code, 0, "{}", unchecked.stderr);
    assert_eq!(database.count_jobs().await, 1);
}

#[tokio::test]
async fn options_that_make_no_sense_are_wrong_usage() {
    let database = Database::with_jobs().await;
    for options in [
        &["--delay", "soon"][..],
        &["--delay", "999y"],
        &["--run-at", "tomorrow"],
        &["--delay", "1s", "--run-at", "2030-01-01T00:00:00Z"],
        &["--priority", "40000"],
        &["--header", "no-value"],
    ] {
        let ran = database.pgq(&[&["enqueue", "cleanup"], options].concat());
        assert_eq!(ran.code, 2, "{options:?}: {}", ran.stderr);
    }
    assert_eq!(database.count_jobs().await, 0);
}
