//! Looking at what failed, what is finished and what does not go on.

use expect_test::{Expect, expect};

use crate::support::{Database, HOLD, Ran};

/// With what differs from run to run left out.
#[track_caller]
fn shows(ran: &Ran, expected: &Expect) {
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let is_time = |word: &str| word.starts_with("20") && word.contains('-');
    let is_clock = |word: &str| word.matches(':').count() == 2 && word.len() == 8;
    let is_span = |word: &str| {
        word.starts_with(|it: char| it.is_ascii_digit()) && word.ends_with(['s', 'm', 'h'])
    };
    let mut text = String::new();
    for line in ran.stdout.lines() {
        let words = line.split_whitespace().map(|word| match word {
            word if is_time(word) && word.contains('/') => "PLACE",
            word if is_time(word) => "DATE",
            word if is_clock(word) => "TIME",
            word if is_span(word) => "SPAN",
            word => word,
        });
        let mut words: Vec<&str> = words.collect();
        words.dedup();
        text += &(words.join(" ") + "\n");
    }
    expected.assert_eq(&text);
}

/// Five held jobs that failed in two ways.
async fn with_held_jobs() -> Database {
    let database = Database::with_jobs().await;
    for user in 0..4 {
        database.enqueue(&["send_welcome", &format!(r#"{{"user_id": {user}}}"#)]);
    }
    database.enqueue(&["cleanup"]);
    database
        .execute(
            "UPDATE pgqueuer.jobs SET state = 'held', attempt = 25, failures = jsonb_build_array(jsonb_build_object(
                 'attempt', 25, 'failed_at', '2030-01-01T00:00:00Z',
                 'reason', CASE kind WHEN 'cleanup' THEN 'timeout' ELSE 'error' END,
                 'message', CASE kind WHEN 'cleanup' THEN 'too slow' ELSE format(E'no user %s\\nat all', id) END))",
        )
        .await;
    database
}

/// A page of the history ends after 32 MiB, with or without what is looked for.
#[tokio::test]
async fn what_was_discarded_is_found_below_much_else() {
    let database = Database::with_jobs().await;
    database
        .execute(
            "INSERT INTO pgqueuer.history
                 (job_id, enqueued_at, claimed_at, finished_at, expires_at, ending, attempt, priority, kind, result)
             SELECT n, now(), now(), now(), now() + interval '1 day',
                 CASE n WHEN 1 THEN 'discarded' ELSE 'completed' END::pgqueuer.job_ending,
                 1, 0, 'cleanup', repeat('x', 1000)
             FROM generate_series(1, 40000) AS n",
        )
        .await;
    shows(
        &database.pgq(&["failed", "--discarded", "--list"]),
        &expect![[r#"
            ID KIND STATE FAILED (UTC) ATTEMPTS
            1 cleanup discarded DATE TIME 1
        "#]],
    );
}

#[tokio::test]
async fn failures_are_grouped_by_what_was_said() {
    let database = with_held_jobs().await;
    shows(
        &database.pgq(&["failed"]),
        &expect![[r#"
        JOBS KIND STATE REASON MESSAGE NEWEST FAILED (UTC)
        4 send_welcome held error no user # 4 DATE TIME
        1 cleanup held timeout too slow 5 DATE TIME
    "#]],
    );
    shows(
        &database.pgq(&["failed", "--kind", "cleanup", "--list"]),
        &expect![[r#"
            ID KIND STATE FAILED (UTC) ATTEMPTS REASON MESSAGE
            5 cleanup held DATE TIME 25 timeout too slow
        "#]],
    );
    shows(
        &database.pgq(&["failed", "--list", "--limit", "2"]),
        &expect![[r#"
            ID KIND STATE FAILED (UTC) ATTEMPTS REASON MESSAGE
            5 cleanup held DATE TIME 25 timeout too slow
            4 send_welcome held DATE TIME 25 error no user 4
        "#]],
    );
    let json = database.pgq(&["failed", "--format", "json", "--limit", "1"]);
    json.succeeds(&expect![[r#"
        [
          {
            "jobs": 4,
            "kind": "send_welcome",
            "state": "held",
            "reason": "error",
            "message": "no user #",
            "newest": 4,
            "failed_at": "2030-01-01T00:00:00Z"
          }
        ]
    "#]]);
    database
        .pgq(&["failed", "--kind", "nothing"])
        .succeeds(&expect![[r#"
            nothing has failed for good
        "#]]);
}

#[tokio::test]
async fn what_was_discarded_is_shown_if_that_is_asked_for() {
    let database = with_held_jobs().await;
    let discard = ["jobs", "discard", "--kind", "send_welcome", "--yes"];
    assert_eq!(database.pgq(&discard).code, 0);
    shows(
        &database.pgq(&["failed"]),
        &expect![[r#"
        JOBS KIND STATE REASON MESSAGE NEWEST FAILED (UTC)
        1 cleanup held timeout too slow 5 DATE TIME
    "#]],
    );
    shows(
        &database.pgq(&["failed", "--discarded"]),
        &expect![[r#"
        JOBS KIND STATE REASON MESSAGE NEWEST FAILED (UTC)
        4 send_welcome discarded error no user # 4 DATE TIME
        1 cleanup held timeout too slow 5 DATE TIME
    "#]],
    );
}

#[tokio::test]
async fn finished_jobs_are_listed_newest_first() {
    let database = Database::with_jobs().await;
    database.pgq(&["history"]).succeeds(&expect![[r#"
        there is no such finished job
    "#]]);
    for user in 0..3 {
        let id = database.enqueue(&["send_welcome", &format!(r#"{{"user_id": {user}}}"#)]);
        let cancel = ["jobs", "cancel", &id, "--reason", "a mistake"];
        assert_eq!(database.pgq(&cancel).code, 0);
    }
    database.enqueue(&["cleanup"]);
    database.execute(HOLD).await;
    assert_eq!(database.pgq(&["jobs", "discard", "--all", "--yes"]).code, 0);

    shows(
        &database.pgq(&["history"]),
        &expect![[r#"
        FINISHED (UTC) ID KIND ENDING ATTEMPTS LAST FAILURE
        DATE TIME 4 cleanup discarded 25 no such user
        DATE TIME 3 send_welcome cancelled 0 a mistake
        DATE TIME 2 send_welcome cancelled 0 a mistake
        DATE TIME 1 send_welcome cancelled 0 a mistake
    "#]],
    );
    shows(
        &database.pgq(&[
            "history",
            "--ending",
            "cancelled",
            "--since",
            "1h",
            "--limit",
            "2",
        ]),
        &expect![[r#"
            FINISHED (UTC) ID KIND ENDING ATTEMPTS LAST FAILURE
            DATE TIME 3 send_welcome cancelled 0 a mistake
            DATE TIME 2 send_welcome cancelled 0 a mistake

            older ones: --before PLACE
        "#]],
    );
    let json = database.pgq(&["history", "--limit", "2", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["jobs"][0]["state"], "discarded");
    let next = json["next"].as_str().unwrap();
    shows(
        &database.pgq(&["history", "--before", next]),
        &expect![[r#"
            FINISHED (UTC) ID KIND ENDING ATTEMPTS LAST FAILURE
            DATE TIME 2 send_welcome cancelled 0 a mistake
            DATE TIME 1 send_welcome cancelled 0 a mistake
        "#]],
    );
    database
        .pgq(&["history", "--kind", "nothing"])
        .succeeds(&expect![[r#"
            there is no such finished job
        "#]]);
    let wrong = database.pgq(&["history", "--before", "yesterday"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("write 2030-"), "{}", wrong.stderr);
}

#[tokio::test]
async fn what_does_not_go_on_is_listed_with_the_reason() {
    let database = Database::with_jobs().await;
    database.pgq(&["stale"]).succeeds(&expect![[r#"
        nothing is stale
    "#]]);
    database.enqueue(&["send_welcome", r#"{"user_id": 1}"#]);
    database.enqueue(&["cleanup"]);
    database.enqueue(&["unheard_of", "--unchecked"]);
    database.enqueue(&["cleanup", "--delay", "1h"]);
    database.enqueue(&["cleanup", "--priority=9"]);
    database
        .execute(
            "UPDATE pgqueuer.jobs
             SET enqueued_at = now() - interval '600.5 s', run_at = now() - interval '600.5 s';
             UPDATE pgqueuer.jobs SET claimed_by = 99, claimed_at = now() - interval '30.5 s'
             WHERE priority = 9;
             INSERT INTO pgqueuer.sessions (worker, expires_at) VALUES ('dead', now() - interval '60.5 s')",
        )
        .await;
    shows(
        &database.pgq(&["stale"]),
        &expect![[r#"
            WHAT ID KIND FOR WORKER WHY
            waiting 1 send_welcome SPAN no worker is running
            waiting 2 cleanup SPAN no worker is running
            waiting 3 unheard_of SPAN no worker is running
            overdue 4 cleanup SPAN no worker is running
            session 2 SPAN dead its lease ran out, and no worker is running
            running 5 cleanup SPAN its worker is gone, and no worker is running
        "#]],
    );
    let live = "INSERT INTO pgqueuer.sessions (worker, expires_at) VALUES ('live', now() + interval '1 h')";
    database.execute(live).await;
    assert_eq!(database.pgq(&["pause", "--queue", "mail"]).code, 0);
    let limit = ["limits", "set", "--kind", "cleanup", "--concurrency", "1"];
    assert_eq!(database.pgq(&limit).code, 0);
    shows(
        &database.pgq(&["stale"]),
        &expect![[r#"
            WHAT ID KIND FOR WORKER WHY
            waiting 1 send_welcome SPAN queue `mail` is paused
            waiting 2 cleanup SPAN kind `cleanup` is limited
            waiting 3 unheard_of SPAN no worker has ever had this kind
            overdue 4 cleanup SPAN
            session 2 SPAN dead its lease ran out
            running 5 cleanup SPAN its worker is gone
        "#]],
    );
    shows(
        &database.pgq(&["stale", "--older-than", "1h"]),
        &expect![[r#"
            WHAT ID KIND FOR WORKER WHY
            session 2 SPAN dead its lease ran out
            running 5 cleanup SPAN its worker is gone
        "#]],
    );
    let json = database.pgq(&["stale", "--format", "json", "--limit", "1"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["what"], "waiting");
    assert!(json[0]["seconds"].as_i64().unwrap() >= 600);
}
