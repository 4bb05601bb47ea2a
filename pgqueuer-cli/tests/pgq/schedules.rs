//! `pgq schedules`.

use chrono::{DateTime, Utc};
use expect_test::expect;
use pgqueuer::{PgQueuer, Schedule};
use serde_json::Value;

use crate::support::Database;

fn schedules(database: &Database, args: &[&str]) -> crate::support::Ran {
    database.pgq(&[&["schedules"], args].concat())
}

/// The rows of the list, by name.
fn listed(database: &Database, name: &str) -> Value {
    let ran = schedules(database, &["list", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    let row = rows.into_iter().find(|it| it["name"] == name);
    row.expect("it is listed")
}

fn weekly(database: &Database) {
    let weekly = [
        "create",
        "weekly",
        "send_welcome",
        "0 9 * * MON-FRI",
        r#"{"user_id": 7}"#,
    ];
    let options = [
        "--tz",
        "Europe/Oslo",
        "--missed",
        "all up to 24",
        "--priority",
        "3",
    ];
    schedules(database, &[&weekly[..], &options[..]].concat()).succeeds(&expect![[r#"
        schedule `weekly`: created
    "#]]);
}

#[tokio::test]
async fn schedules_are_listed_in_words_and_in_their_zones() {
    let database = Database::installed().await;
    schedules(&database, &[]).succeeds(&expect![[r#"
        there is no schedule yet; a worker publishes those in its code
    "#]]);
    let database = Database::with_jobs().await;
    weekly(&database);

    let table = schedules(&database, &[]).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("NAME     KIND          WHEN"),
        "{table}"
    );
    assert!(lines[1].starts_with("cleanup"), "{table}");
    assert!(
        lines[1].contains("at 00:00, on day 1, in January"),
        "{table}"
    );
    assert!(lines[1].contains("01-01 00:00:00 UTC"), "{table}");
    assert!(
        lines[2].starts_with("weekly   send_welcome  at 09:00, Monday to Friday"),
        "{table}"
    );
    assert!(lines[2].contains("09:00:00 CE"), "{table}");

    let row = listed(&database, "weekly");
    assert_eq!(row["rule"], "0 9 * * MON-FRI");
    assert_eq!(row["zone"], "Europe/Oslo");
    assert_eq!(row["missed"], "all up to 24");
    assert_eq!(row["lag_seconds"], 0);
}

#[tokio::test]
async fn the_next_slots_are_told() {
    let database = Database::with_jobs().await;
    weekly(&database);

    let ran = schedules(
        &database,
        &["next", "weekly", "--count", "3", "--format", "json"],
    );
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let slots: Vec<DateTime<Utc>> = serde_json::from_value(told["slots"].clone()).unwrap();
    let schedule = Schedule::new("0 9 * * MON-FRI").zone("Europe/Oslo");
    assert_eq!(slots.len(), 3);
    assert_eq!(schedule.next_after(slots[0]).unwrap(), Some(slots[1]));
    assert_eq!(schedule.next_after(slots[1]).unwrap(), Some(slots[2]));
    let table = schedules(&database, &["next", "weekly"]).stdout;
    assert_eq!(table.lines().count(), 10);
    assert!(
        table.lines().all(|it| it.contains("09:00:00 CE")),
        "{table}"
    );

    schedules(&database, &["pause", "weekly"]).succeeds(&expect![[r#"
        schedule `weekly`: paused
    "#]]);
    schedules(&database, &["next", "weekly"]).succeeds(&expect![[r#"
        schedule `weekly` has no slots: it is paused
    "#]]);
    schedules(&database, &["next", "none"]).fails(
        5,
        &expect![[r#"
        error: there is no schedule `none`
    "#]],
    );
}

#[tokio::test]
async fn schedules_are_changed_run_and_deleted() {
    let database = Database::with_jobs().await;
    weekly(&database);
    schedules(
        &database,
        &["set", "weekly", "--rule", "every 90s", "--tz", "UTC"],
    )
    .succeeds(&expect![[r#"
        schedule `weekly`: changed
    "#]]);
    assert_eq!(listed(&database, "weekly")["words"], "every 1m 30s");
    schedules(&database, &["set", "cleanup", "--overlap", "skip"]).succeeds(&expect![[r#"
        schedule `cleanup`: changed
    "#]]);
    assert_eq!(
        listed(&database, "cleanup")["remarks"][0],
        "changed by hand"
    );
    schedules(&database, &["reset", "cleanup"]).succeeds(&expect![[r#"
        schedule `cleanup`: reset
    "#]]);
    assert_eq!(listed(&database, "cleanup")["overlap"], "allow");
    schedules(&database, &["resume", "weekly"]).succeeds(&expect![[r#"
        schedule `weekly`: not paused
    "#]]);

    let other = ["set", "weekly", "--arguments", r#"{"user_id": 8}"#];
    assert_eq!(schedules(&database, &other).code, 0);
    let misspelt = ["set", "weekly", "--arguments", r#"{"user": 8}"#];
    assert_eq!(schedules(&database, &misspelt).code, 5);
    let id = schedules(&database, &["run", "weekly"]);
    assert_eq!(id.code, 0, "{}", id.stderr);
    let pgq = PgQueuer::new(database.pool.clone());
    let job = pgq
        .get_job(id.stdout.trim().parse::<pgqueuer::JobId>().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&*job.kind, job.priority), ("send_welcome", 3));
    assert_eq!(job.headers["schedule"], "weekly");
    assert_eq!(job.payload.unwrap().bytes, br#"{"user_id": 8}"#);
    assert_eq!(listed(&database, "weekly")["last_outcome"], "available");

    schedules(&database, &["delete", "weekly"]).succeeds(&expect![[r#"
        schedule `weekly`: deleted
    "#]]);
    schedules(&database, &["delete", "weekly"]).fails(
        5,
        &expect![[r#"
        error: there is no schedule `weekly`
    "#]],
    );
}

#[tokio::test]
async fn what_is_no_schedule_is_refused() {
    let database = Database::with_jobs().await;
    weekly(&database);
    let create = |args: &[&str]| schedules(&database, &[&["create"], args].concat());
    let welcome = r#"{"user_id": 7}"#;
    create(&["weekly", "send_welcome", "0 9 * * *", welcome]).fails(
        5,
        &expect![[r#"
        error: there is a schedule `weekly` already; change that, or take another name
    "#]],
    );
    create(&["x", "send_welcome", "0 25 * * *", welcome]).fails(2, &expect![[r#"
        error: schedule `x` is refused
        caused by: cron expression `0 25 * * *` has the hour `25`; write 0 to 23, with `*`, `,`, `-` and `/`
    "#]]);
    create(&[
        "x",
        "send_welcome",
        "0 9 * * *",
        welcome,
        "--tz",
        "Mars/Base",
    ])
    .fails(
        2,
        &expect![[r#"
            error: schedule `x` is refused
            caused by: time zone `Mars/Base` is unknown; write an IANA name, as in `Europe/Oslo`
        "#]],
    );
    create(&["x", "send_welcom", "0 9 * * *"]).fails(
        5,
        &expect![[r#"
        error: no worker has published the kind `send_welcom`; did you mean `send_welcome`?
    "#]],
    );
    create(&["x y", "send_welcome", "0 9 * * *", welcome]).fails(
        2,
        &expect![[r#"
            error: schedule "x y" contains white space or control characters
        "#]],
    );
    let without = create(&["x", "send_welcome", "0 9 * * *", r#"{"user": 7}"#]);
    assert_eq!(without.code, 5, "{}", without.stderr);
    let missed = create(&[
        "x",
        "send_welcome",
        "0 9 * * *",
        welcome,
        "--missed",
        "never",
    ]);
    assert_eq!(missed.code, 2);
    assert!(
        missed.stderr.contains("missed slots are told `never`"),
        "{}",
        missed.stderr
    );
    schedules(&database, &["set", "weekly"]).fails(
        2,
        &expect![[r#"
        error: nothing is given to change; add `--rule`, `--arguments`, `--tz`, `--missed` or `--overlap`
    "#]],
    );
    schedules(&database, &["set", "weekly", "--overlap", "skip"]).fails(2, &expect![[r#"
        error: schedule `weekly` is refused
        caused by: `missed = "all"` enqueues several jobs at once, which `overlap = "skip"` does not let; choose one of them
    "#]]);
    schedules(&database, &["reset", "weekly"]).fails(
        5,
        &expect![[r#"
        error: schedule `weekly` is not in the code, so there is nothing to reset it to
    "#]],
    );
    assert_eq!(
        schedules(&database, &["next", "weekly", "--count", "0"]).code,
        2
    );
    let missing = Database::new().await;
    assert_eq!(schedules(&missing, &[]).code, 4);
}

#[tokio::test]
async fn faults_and_overdue_slots_are_remarked() {
    let database = Database::with_jobs().await;
    // As from a trigger. The rule is found to be none by the next worker.
    database
        .execute(
            "SELECT pgqueuer.schedule('from-sql', 'send_welcome', 'every 1s', '{\"user_id\": 7}');
             SELECT pgqueuer.schedule('late', 'send_welcome', 'every 1s', '{\"user_id\": 7}');
             UPDATE pgqueuer.schedules SET fault = 'it is odd' WHERE name = 'from-sql';
             UPDATE pgqueuer.schedules SET next_tick = now() - interval '1 hour' WHERE name = 'late';",
        )
        .await;

    assert_eq!(listed(&database, "from-sql")["remarks"][0], "it is odd");
    let late = listed(&database, "late");
    assert!(late["lag_seconds"].as_i64().unwrap() >= 3600);
    let remark = late["remarks"][0].as_str().unwrap();
    assert!(remark.starts_with("overdue by 1h"), "{remark}");
}
