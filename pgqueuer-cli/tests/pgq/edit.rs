//! Mending jobs: `jobs edit`, and what a job is requeued with.

use expect_test::expect;
use pgqueuer::{JobRecord, PgQueuer};

use crate::support::{Database, HOLD};

/// Three jobs: held, scheduled, available.
async fn three() -> (Database, [String; 3]) {
    let database = Database::with_jobs().await;
    let held = database.enqueue(&["send_welcome", r#"{"user_id": -1}"#]);
    database.execute(HOLD).await;
    let scheduled = database.enqueue(&["send_welcome", r#"{"user_id": 2}"#, "--delay", "1h"]);
    let available = database.enqueue(&["cleanup"]);
    (database, [held, scheduled, available])
}

async fn job(database: &Database, id: &str) -> JobRecord {
    let pgq = PgQueuer::new(database.pool.clone());
    let id: i64 = id.parse().unwrap();
    pgq.get_job(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_held_job_is_mended_and_stays_held() {
    let (database, [held, _, _]) = three().await;
    let edit = ["jobs", "edit", &held, "--arguments", r#"{"user_id": 1}"#];
    database
        .pgq(&[&edit[..], &["--priority=-2"]].concat())
        .succeeds(&expect![[r#"
            edited 1
        "#]]);

    let job = job(&database, &held).await;
    assert_eq!((job.state.as_str(), job.priority), ("held", -2));
    assert_eq!(job.payload.unwrap().bytes, br#"{"user_id": 1}"#);
    let json = database.pgq(&["jobs", "edit", &held, "--priority=1", "--format", "json"]);
    json.succeeds(&expect![[r#"
        {
          "edited": 1
        }
    "#]]);
}

#[tokio::test]
async fn a_scheduled_job_is_moved_and_a_held_one_is_not() {
    let (database, [held, scheduled, _]) = three().await;
    let at = ["--run-at", "2031-01-01T00:00:00Z"];
    database
        .pgq(&[&["jobs", "edit", &scheduled], &at[..]].concat())
        .succeeds(&expect![[r#"
            edited 1
        "#]]);
    let run_at = job(&database, &scheduled).await.run_at.unwrap();
    assert_eq!(run_at.to_rfc3339(), "2031-01-01T00:00:00+00:00");
    database
        .pgq(&[&["jobs", "edit", &held], &at[..]].concat())
        .fails(
            5,
            &expect![[r#"
            error: there is no such job to edit: none that is scheduled
        "#]],
        );
}

#[tokio::test]
async fn what_the_job_could_not_run_with_is_refused() {
    let (database, [held, _, available]) = three().await;
    let edit =
        |id: &str, arguments: &str| database.pgq(&["jobs", "edit", id, "--arguments", arguments]);
    edit(&held, r#"{"user": 1}"#).fails(5, &expect![[r#"
        error: `send_welcome(user_id: i64, locale: Option<String>)` has no argument `user`; --unchecked lets it pass
    "#]]);
    edit(&held, "{}").fails(5, &expect![[r#"
        error: `send_welcome(user_id: i64, locale: Option<String>)` needs the argument `user_id`, unless that has a default; --unchecked lets it pass
    "#]]);
    edit(&held, "[1]").fails(
        5,
        &expect![[r#"
        error: the arguments are not a JSON object; write each by its name: {"user_id": 42}
    "#]],
    );
    edit(&available, "{}").fails(
        5,
        &expect![[r#"
        error: there is no such job to edit: none that is held or scheduled
    "#]],
    );
    edit("123456", "{}").fails(
        5,
        &expect![[r#"
        error: there is no such job to edit: none that is held or scheduled
    "#]],
    );
    database
        .pgq(&["jobs", "requeue", &held, "--arguments", "{}"])
        .fails(5, &expect![[r#"
            error: `send_welcome(user_id: i64, locale: Option<String>)` needs the argument `user_id`, unless that has a default; --unchecked lets it pass
        "#]]);
    database
        .pgq(&["jobs", "edit", &held])
        .fails(2, &expect![[r#"
            error: nothing is to be changed; add `--arguments JSON`, `--priority N`, `--delay DURATION` or `--run-at TIME`
        "#]]);
    let bytes = job(&database, &held).await.payload.unwrap().bytes;
    assert_eq!(bytes, br#"{"user_id": -1}"#);

    let unchecked = ["jobs", "edit", &held, "--arguments", "{}", "--unchecked"];
    assert_eq!(database.pgq(&unchecked).code, 0);
}

#[tokio::test]
async fn many_are_edited_only_if_that_is_meant() {
    let (database, [held, scheduled, available]) = three().await;
    let edit = ["jobs", "edit", "--all", "--priority", "7"];
    database.pgq(&edit).fails(
        5,
        &expect![[r#"
        error: this would edit 2 jobs; add --yes to do it, or --dry-run to see of which kinds
    "#]],
    );
    let with = |option: &'static str| database.pgq(&[&edit[..], &[option]].concat());
    with("--dry-run").succeeds(&expect![[r#"
        KIND          STATE      JOBS
        send_welcome  held       1
        send_welcome  scheduled  1
        this would edit 2 jobs
    "#]]);
    assert_eq!(job(&database, &held).await.priority, 3);
    with("--yes").succeeds(&expect![[r#"
        edited 2
    "#]]);

    for (id, priority) in [(held, 7), (scheduled, 7), (available, 0)] {
        assert_eq!(job(&database, &id).await.priority, priority, "{id}");
    }
}

#[tokio::test]
async fn a_dry_run_says_how_many_of_which_kind() {
    let (database, _) = three().await;
    database
        .pgq(&["jobs", "cancel", "--all", "--dry-run"])
        .succeeds(&expect![[r#"
            KIND          STATE      JOBS
            cleanup       available  1
            send_welcome  held       1
            send_welcome  scheduled  1
            this would cancel 3 jobs
        "#]]);
    let json = ["jobs", "requeue", "--all", "--dry-run", "--format", "json"];
    database.pgq(&json).succeeds(&expect![[r#"
        {
          "would": "requeue",
          "jobs": 1,
          "of": [
            {
              "kind": "send_welcome",
              "state": "held",
              "jobs": 1
            }
          ]
        }
    "#]]);
    database
        .pgq(&["jobs", "discard", "--kind", "cleanup", "--dry-run"])
        .succeeds(&expect![[r#"
            this would discard 0 jobs
        "#]]);
}
