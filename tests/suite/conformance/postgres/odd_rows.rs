//! What gets past the producer, through SQL: a worker holds it with the reason and goes on, or
//! PostgreSQL has refused it before.

use pgqueuer::{
    FailureReason, JobId, job,
    store::{Counts, JobState},
};

use super::super::postgres_only;
use crate::{backend::Database, support::in_time};

postgres_only! {
    on_postgres:
    are_held_with_the_reason,
    are_refused_when_no_worker_could_read_them,
    that_would_be_a_million_headers_are_refused,
    of_300_megabytes_are_refused,
    with_a_delay_beyond_all_clocks_are_refused,
    with_a_delay_long_before_all_clocks_run_now,
}

#[job]
async fn odd_number(number: f64) {
    let _ = number;
}

async fn run_sql(database: &Database, sql: &str) -> sqlx::Result<JobId> {
    let query = sqlx::query_scalar(database.sql(sql));
    let id: i64 = query.fetch_one(database.pool()).await?;
    Ok(id.into())
}

/// What is said of the call, and what to do about it. Nothing may be enqueued.
async fn refusal(database: &Database, call: &str) -> (String, Option<String>) {
    let sql = format!("SELECT pgqueuer.enqueue({call})");
    let error = run_sql(database, &sql).await.expect_err("it is refused");
    let counts = database.pgq.count_jobs().await.unwrap();
    assert_eq!(counts, Counts::default(), "nothing is enqueued");
    let error = error.into_database_error().unwrap();
    let hint = error
        .downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .hint();
    (error.message().to_owned(), hint.map(str::to_owned))
}

async fn are_held_with_the_reason(database: &Database) {
    let insert = |codec: &str, payload: &str| {
        format!(
            "INSERT INTO pgqueuer.jobs (id, position, state, codec, kind, payload)
             VALUES (nextval('pgqueuer.positions'), currval('pgqueuer.positions'), 'available',
                     '{codec}', 'odd_number', {payload}) RETURNING id"
        )
    };
    let call = |args: &str| format!("SELECT pgqueuer.enqueue('odd_number', {args})");
    let odd = [
        call(r#"'{"number": 1e400}'"#),
        call(r#"'{"number": null}'"#),
        call(r#"jsonb_build_object('number', (repeat('[', 1000) || repeat(']', 1000))::jsonb)"#),
        insert("json", r"'\xff00fe'"),
        insert(
            "json",
            r#"convert_to('{"number": "' || repeat('[', 100000), 'UTF8')"#,
        ),
        insert("json", "convert_to(repeat('[', 100000), 'UTF8')"),
        insert("framed", "''"),
        insert("framed", r"'\x01ff'"),
        insert("framed", r"'\x0106ffffffffffff01ffffffff'"),
        insert("framed", r"decode(repeat('01', 1000000), 'hex')"),
    ];
    let mut ids = Vec::new();
    for sql in &odd {
        ids.push(run_sql(database, sql).await.unwrap());
    }
    // What was inserted by hand was not counted.
    assert_eq!(database.pgq.recount().await.unwrap(), 1);
    let good = call(r#"'{"number": 1.5}'"#);
    let good = run_sql(database, &good).await.unwrap();
    // Nobody has been told of the lane of what was inserted by hand, nor need be.
    let worker = database.pgq.worker().only_registered();
    let worker = worker.register::<OddNumber>().build().unwrap();

    in_time("the end of a drain", worker.drain()).await.unwrap();

    for (id, sql) in ids.into_iter().zip(&odd) {
        let record = database.pgq.get_job(id).await.unwrap().unwrap();
        assert_eq!(record.state, JobState::Held, "{sql}");
        assert_eq!(record.failures.len(), 1, "{sql}");
        assert_eq!(record.failures[0].reason, FailureReason::Undecodable);
        assert_ne!(record.failures[0].message, "");
    }
    let record = database.pgq.get_job(good).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Completed);
}

async fn are_refused_when_no_worker_could_read_them(database: &Database) {
    let odd = [
        (r#"'mail', '{"text": "a\u0000b"}'"#, "unsupported Unicode"),
        (r#"'mail', '{"text": "\ud800"}'"#, "invalid input syntax"),
        (
            r#"'mail', headers => '{"a": "\u0000"}'"#,
            "unsupported Unicode",
        ),
        (
            "'mail', (repeat('[', 100000) || repeat(']', 100000))::jsonb",
            "stack depth",
        ),
        (r#"'mail', '{"number": 1e200000}'"#, "overflow"),
        ("'mail', '{'", "invalid input syntax"),
        ("'mail', run_at => '290000-01-01'", "100 years"),
        ("'mail', run_at => '290000-01-01 BC'", "out of range"),
        ("'mail', run_at => 'infinity'", "100 years"),
        ("'mail', run_at => '-infinity'", "100 years"),
        ("'mail', priority => 1e400", "does not exist"),
        ("repeat('x', 300)", "300 characters"),
    ];
    for (call, expected) in odd {
        let (message, _) = refusal(database, call).await;
        assert!(message.contains(expected), "{call}: {message}");
    }
}

async fn that_would_be_a_million_headers_are_refused(database: &Database) {
    let call = "'mail', headers => (
        SELECT jsonb_object_agg('h' || n, '') FROM generate_series(1, 1000000) AS n)";

    let (message, hint) = refusal(database, call).await;

    assert!(message.contains("headers of job \"mail\""), "{message}");
    assert!(message.contains("65536"), "it says the limit: {message}");
    assert!(hint.is_some_and(|it| it.contains("args")));
}

async fn of_300_megabytes_are_refused(database: &Database) {
    // PostgreSQL itself has no more than 256 MB in an object.
    let call =
        "'mail', jsonb_build_object('a', repeat('x', 150000000), 'b', repeat('y', 150000000))";
    let (message, _) = refusal(database, call).await;
    assert!(message.contains("268435455"), "{message}");

    let call = "'mail', jsonb_build_object('text', repeat('x', 34 * 1024 * 1024))";
    let (message, hint) = refusal(database, call).await;
    assert!(message.contains("payload of job \"mail\""), "{message}");
    assert!(message.contains("33554432"), "it says the limit: {message}");
    assert!(hint.is_some_and(|it| it.contains("elsewhere")));
}

async fn with_a_delay_beyond_all_clocks_are_refused(database: &Database) {
    for delay in ["178000000 years", "300000 years", "101 years"] {
        let call = format!("'mail', delay => '{delay}'");
        let (message, hint) = refusal(database, &call).await;
        assert!(message.contains("100 years"), "{delay}: {message}");
        assert!(hint.is_some_and(|it| it.contains("shorter delay")));
    }
}

async fn with_a_delay_long_before_all_clocks_run_now(database: &Database) {
    for delay in ["-178000000 years", "-5000 years", "-1 hour"] {
        let sql = format!("SELECT pgqueuer.enqueue('mail', delay => '{delay}')");
        let id = run_sql(database, &sql).await.unwrap();
        let record = database.pgq.get_job(id).await.unwrap().unwrap();
        assert_eq!(record.state, JobState::Available, "{delay}");
    }
}
