//! `pgqueuer.enqueue(…)`: for triggers, psql and other languages.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use pgqueuer::{
    Codec, Context, Headers, JobId, PgQueuer, State, job,
    store::{JobRecord, JobState},
};
use sqlx::{AssertSqlSafe, PgPool};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{LONG, in_time, kind_record, open_session},
};

postgres_only! {
    on_postgres:
    enqueues_a_job_that_a_worker_runs,
    takes_the_kind_alone,
    takes_the_priority_of_the_kind,
    takes_a_delay,
    takes_a_time,
    takes_a_time_that_has_passed,
    takes_no_delay_for_now,
    takes_headers,
    keeps_text_as_it_is,
    works_in_a_trigger,
    refuses_a_kind_that_is_empty_or_too_long,
    refuses_a_kind_with_white_space,
    refuses_arguments_that_are_no_object,
    refuses_both_a_delay_and_a_time,
    refuses_a_time_too_far_away,
    refuses_a_priority_out_of_range,
    refuses_headers_that_are_no_texts,
    refuses_a_payload_over_the_limit,
}

postgres_only! {
    on_postgres, not_pooled("LISTEN"):
    rings_the_bell,
}

/// Calls the function with these arguments, written in SQL.
async fn call(database: &Database, arguments: &str) -> sqlx::Result<JobId> {
    let call: AssertSqlSafe<String> =
        database.sql(&format!("SELECT pgqueuer.enqueue({arguments})"));
    let id: i64 = sqlx::query_scalar(call).fetch_one(database.pool()).await?;
    Ok(id.into())
}

async fn enqueued(database: &Database, arguments: &str) -> JobRecord {
    let id = call(database, arguments).await.unwrap();
    database.pgq.get_job(id).await.unwrap().unwrap()
}

/// What the function says about these arguments. Nothing may be enqueued.
async fn refusal(database: &Database, arguments: &str) -> String {
    let error = call(database, arguments)
        .await
        .expect_err("it should be refused");
    let counts = database.pgq.count_jobs().await.unwrap();
    assert_eq!(counts, Default::default(), "nothing is enqueued");
    error.as_database_error().unwrap().message().to_owned()
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

#[job]
async fn from_sql(
    a: i64,
    text: String,
    #[serde(default)] more: Vec<f64>,
    context: Context,
    seen: State<Seen>,
) {
    let line = format!(
        "{a} {text} {more:?} {} {:?}",
        context.priority(),
        context.headers()
    );
    seen.0.lock().unwrap().push(line);
}

async fn drain(pgq: &PgQueuer) -> Vec<String> {
    let seen = Seen::default();
    let worker = pgq.worker().only_registered().register::<FromSql>();
    let worker = worker.state(seen.clone()).build().unwrap();
    in_time("the end of a drain", worker.drain()).await.unwrap();
    seen.0.lock().unwrap().clone()
}

async fn enqueues_a_job_that_a_worker_runs(database: &Database) {
    let arguments = r#"'from_sql', '{"text": "Ægir''s", "a": 1, "more": [1.5, 2]}'::jsonb,
        priority => 5, headers => '{"tenant": "acme"}'"#;
    call(database, arguments).await.unwrap();

    let lines = drain(&database.pgq).await;

    assert_eq!(lines, [r#"1 Ægir's [1.5, 2.0] 5 {"tenant": "acme"}"#]);
}

async fn takes_the_kind_alone(database: &Database) {
    let record = enqueued(database, "'mail'").await;

    let payload = record.payload.unwrap();
    assert_eq!(
        (record.kind.as_str(), record.state),
        ("mail", JobState::Available)
    );
    assert_eq!((record.priority, record.headers), (0, Headers::new()));
    assert_eq!(
        (payload.codec, payload.bytes),
        (Codec::Json, b"{}".to_vec())
    );
}

async fn takes_the_priority_of_the_kind(database: &Database) {
    let mut kind = kind_record("mail");
    kind.priority = 7;
    database.store().publish_kinds(&[kind]).await.unwrap();

    let of_kind = enqueued(database, "'mail'").await;
    let given = enqueued(database, "'mail', priority => -1").await;

    assert_eq!((of_kind.priority, given.priority), (7, -1));
}

async fn takes_a_delay(database: &Database) {
    let before = database.pgq.now().await.unwrap();

    let record = enqueued(database, "'mail', delay => '1 hour'").await;

    let after = database.pgq.now().await.unwrap();
    let run_at = record.run_at.unwrap();
    assert_eq!(record.state, JobState::Scheduled);
    assert!((before + LONG..=after + LONG).contains(&run_at), "{run_at}");
}

async fn takes_a_time(database: &Database) {
    let before = database.pgq.now().await.unwrap();

    let record = enqueued(database, "'mail', run_at => now() + interval '1 day'").await;

    let wait = record.run_at.unwrap() - before;
    assert_eq!(record.state, JobState::Scheduled);
    assert!(wait >= TimeDelta::days(1) - TimeDelta::minutes(1), "{wait}");
}

async fn takes_a_time_that_has_passed(database: &Database) {
    let record = enqueued(database, "'mail', run_at => '2001-01-01'").await;

    assert_eq!(record.state, JobState::Available);
}

async fn takes_no_delay_for_now(database: &Database) {
    let zero = enqueued(database, "'mail', delay => '0'").await;
    let negative = enqueued(database, "'mail', delay => '-1 hour'").await;

    assert_eq!(
        (zero.state, negative.state),
        (JobState::Available, JobState::Available)
    );
}

async fn takes_headers(database: &Database) {
    let record = enqueued(
        database,
        r#"'mail', headers => '{"tenant": "acme", "a": ""}'"#,
    )
    .await;

    let expected = [("tenant", "acme"), ("a", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(record.headers, Headers::from(expected));
}

async fn keeps_text_as_it_is(database: &Database) {
    let arguments = r#"'from_sql', '{"a": 9223372036854775807, "text": "ünï 🦀 \\ \u0001"}'"#;
    call(database, arguments).await.unwrap();

    let lines = drain(&database.pgq).await;

    assert_eq!(lines, ["9223372036854775807 ünï 🦀 \\ \u{1} [] 0 {}"]);
}

async fn rings_the_bell(database: &Database) {
    open_session(database.store()).await;
    let mut bell = database.store().bell().await.unwrap();

    call(database, "'mail'").await.unwrap();

    in_time("the bell", bell.rung()).await;
}

async fn works_in_a_trigger(database: &Database) {
    let setup = r#"
        CREATE TABLE pgqueuer.users (id bigint, name text);
        CREATE FUNCTION pgqueuer.greet() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pgqueuer.enqueue('from_sql', jsonb_build_object('a', NEW.id, 'text', NEW.name));
                RETURN NEW;
            END
        $$;
        CREATE TRIGGER greet AFTER INSERT ON pgqueuer.users
            FOR EACH ROW EXECUTE FUNCTION pgqueuer.greet();
        INSERT INTO pgqueuer.users VALUES (1, 'Ask'), (2, 'Embla');
    "#;
    run(database.pool(), database.sql(setup)).await;

    let mut lines = drain(&database.pgq).await;

    lines.sort();
    assert_eq!(lines, ["1 Ask [] 0 {}", "2 Embla [] 0 {}"]);
}

async fn run(pool: &PgPool, script: AssertSqlSafe<String>) {
    sqlx::raw_sql(script).execute(pool).await.unwrap();
}

async fn refuses_a_kind_that_is_empty_or_too_long(database: &Database) {
    for kind in ["''", "NULL", "repeat('x', 129)"] {
        let message = refusal(database, kind).await;
        assert!(message.contains("from 1 to 128"), "{kind}: {message}");
    }
}

async fn refuses_a_kind_with_white_space(database: &Database) {
    for kind in [
        "'send mail'",
        r"E'send\nmail'",
        r"E'send\x01mail'",
        r"E'send\u2028mail'",
    ] {
        let message = refusal(database, kind).await;
        assert!(
            message.contains("white space or control"),
            "{kind}: {message}"
        );
    }
}

async fn refuses_arguments_that_are_no_object(database: &Database) {
    for arguments in ["'[]'", "'1'", "'null'", "NULL"] {
        let message = refusal(database, &format!("'mail', {arguments}")).await;
        assert!(message.contains("not an object"), "{arguments}: {message}");
    }
}

async fn refuses_both_a_delay_and_a_time(database: &Database) {
    let message = refusal(database, "'mail', delay => '1 s', run_at => now()").await;

    assert!(message.contains("both delay and run_at"), "{message}");
}

async fn refuses_a_time_too_far_away(database: &Database) {
    for when in [
        "delay => '101 years'",
        "run_at => '20000-01-01'",
        "run_at => 'infinity'",
    ] {
        let message = refusal(database, &format!("'mail', {when}")).await;
        assert!(message.contains("100 years"), "{when}: {message}");
    }
}

async fn refuses_a_priority_out_of_range(database: &Database) {
    for priority in ["32768", "-32769", "2147483647"] {
        let message = refusal(database, &format!("'mail', priority => {priority}")).await;
        assert!(message.contains("out of range"), "{priority}: {message}");
    }
}

async fn refuses_headers_that_are_no_texts(database: &Database) {
    for headers in [
        "'[]'",
        "'\"text\"'",
        r#"'{"number": 1}'"#,
        r#"'{"a": "b", "c": null}'"#,
        // What is in a list does not count.
        r#"'{"a": []}'"#,
        r#"'{"a": ["b"]}'"#,
    ] {
        let message = refusal(database, &format!("'mail', headers => {headers}")).await;
        assert!(
            message.contains("not an object of texts"),
            "{headers}: {message}"
        );
    }
}

async fn refuses_a_payload_over_the_limit(database: &Database) {
    let arguments = "'mail', jsonb_build_object('text', repeat('x', 33 * 1024 * 1024))";

    let message = refusal(database, arguments).await;

    assert!(message.contains("payload"), "{message}");
}
