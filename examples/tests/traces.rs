//! From the producer through a worker to the retry in another worker, it is one trace: for each exporter,
//! as a local collector gets it, from programs of their own on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "traces/collector.rs"]
mod collector;
#[path = "traces/headers.rs"]
mod headers;
#[path = "traces/seen.rs"]
mod seen;

use std::{process::Stdio, time::Duration};

use collector::{Collector, Received};
use pgqueuer::PgQueuer;
use seen::Seen;
use throwaway_postgres::Postgres;
use tokio::process::Command;

const SQL_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SQL_SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry() {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
    assert_one_trace("opentelemetry", &variables, &collector, seen::in_otlp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logfire() {
    let collector = Collector::start().await;
    let variables = [
        ("LOGFIRE_BASE_URL", format!("http://{}", collector.address)),
        ("LOGFIRE_TOKEN", "of-a-test".to_owned()),
    ];
    assert_one_trace("logfire", &variables, &collector, seen::in_otlp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentry() {
    let collector = Collector::start().await;
    let dsn = format!("http://public@{}/1", collector.address);
    let variables = [("SENTRY_DSN", dsn)];
    assert_one_trace("sentry", &variables, &collector, seen::in_envelopes).await;
}

/// Without a collector, without a database: as somebody tries them first.
#[tokio::test(flavor = "multi_thread")]
async fn in_memory() {
    for example in ["opentelemetry", "sentry", "logfire"] {
        let told = run(example, &[], &[]).await;
        assert!(told.contains("order 7: attempt 1 fails"), "{told}");
        assert!(told.contains("order 7: filed"), "{told}");
    }
}

async fn assert_one_trace(
    example: &str,
    variables: &[(&str, String)],
    collector: &Collector,
    read: fn(&[Received]) -> Vec<Seen>,
) {
    let server = Postgres::start().unwrap();
    let url = server.url("postgres");
    let pgq = PgQueuer::connect(&url).await.unwrap();
    pgq.install().await.unwrap();
    let mut variables = variables.to_vec();
    variables.push(("DATABASE_URL", url));

    // Each drain is a process of its own: the retry, which is due in 100 ms, is in another one.
    run(example, &["order"], &variables).await;
    enqueue_in_sql(&pgq).await;
    let mut told = String::new();
    for _ in 0..100 {
        told += &run(example, &["worker", "--drain"], &variables).await;
        if told.matches(": filed").count() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        told.contains("order 7: attempt 2 sends the receipt"),
        "{told}"
    );
    pgq.close().await;

    let seen = Spans(read(&collector.received()));
    let placed = seen.one("place_order", |it| it.attributes["order"] == "7");
    let sent = seen.one("send send_receipt", |it| it.parent == placed.id);
    assert_eq!((sent.kind, sent.is_failed), ("producer", false));
    assert_messaging(&sent, "send", "send_receipt");
    let attempts = seen.children("process send_receipt", &sent);
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    for (attempt, (number, outcome, is_failed)) in attempts
        .iter()
        .zip([("1", "retried", true), ("2", "completed", false)])
    {
        assert_eq!(attempt.kind, "consumer");
        assert_eq!(attempt.is_failed, is_failed, "{attempt:#?}");
        assert_messaging(attempt, "process", "send_receipt");
        assert_eq!(attempt.attributes["job.attempt"], number);
        assert!(attempt.numbers.contains("job.attempt"), "{attempt:#?}");
        assert_eq!(attempt.attributes["job.outcome"], outcome);
        let error_type = attempt.attributes.get("error.type").map(String::as_str);
        assert_eq!(error_type, is_failed.then_some("error"));
        let id = &attempt.attributes["messaging.message.id"];
        assert_eq!(*id, sent.attributes["messaging.message.id"]);
    }
    // What a handler enqueues is in the trace of its attempt.
    let filing = seen.one("send file_receipt", |it| it.parent == attempts[1].id);
    assert_eq!(seen.children("process file_receipt", &filing).len(), 1);
    let trace = seen.0.iter().filter(|it| it.trace == placed.trace);
    assert_eq!(trace.count(), 6, "{:#?}", seen.0);

    // A producer in SQL; and one whose header is none, which does no harm.
    let in_sql = |it: &Seen| it.parent == SQL_SPAN && it.attributes["job.attempt"] == "2";
    assert_eq!(seen.one("process send_receipt", in_sql).trace, SQL_TRACE);
    let by_itself = |it: &Seen| it.parent.is_empty() && it.attributes["job.attempt"] == "2";
    let by_itself = seen.one("process send_receipt", by_itself);
    assert!(by_itself.trace != SQL_TRACE && by_itself.trace != placed.trace);
}

fn assert_messaging(span: &Seen, operation: &str, kind: &str) {
    for (name, value) in [
        ("messaging.system", "pgqueuer"),
        ("messaging.operation.name", operation),
        ("messaging.operation.type", operation),
        ("messaging.destination.name", kind),
    ] {
        assert_eq!(span.attributes[name], value, "{name}");
    }
    let of_single = span.attributes.get("messaging.batch.message_count");
    assert_eq!(of_single, None);
}

struct Spans(Vec<Seen>);

impl Spans {
    fn one(&self, name: &str, which: impl Fn(&Seen) -> bool) -> Seen {
        let mut found = self.0.iter().filter(|it| it.name == name && which(it));
        match (found.next(), found.next()) {
            (Some(span), None) => span.clone(),
            found => panic!("not one `{name}`: {found:#?} in {:#?}", self.0),
        }
    }

    /// In the order of their attempts.
    fn children(&self, name: &str, parent: &Seen) -> Vec<Seen> {
        let of_parent = |it: &&Seen| it.trace == parent.trace && it.parent == parent.id;
        let mut found: Vec<Seen> = self.0.iter().filter(of_parent).cloned().collect();
        found.retain(|it| it.name == name);
        found.sort_by_key(|it| it.attributes["job.attempt"].clone());
        found
    }
}

async fn enqueue_in_sql(pgq: &PgQueuer) {
    for traceparent in [&format!("00-{SQL_TRACE}-{SQL_SPAN}-01"), "malformed"] {
        let headers = serde_json::json!({ "traceparent": traceparent });
        let enqueued = "SELECT pgqueuer.enqueue('send_receipt', '{\"order\": 8}', headers => $1)";
        let enqueued = sqlx::query(enqueued).bind(headers);
        enqueued.execute(pgq.pool().unwrap()).await.unwrap();
    }
}

/// What an example prints.
async fn run(example: &str, arguments: &[&str], variables: &[(&str, String)]) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder
        .join(example)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // Not those of whoever runs the tests.
    for other in ["DATABASE_URL", "SENTRY_DSN", "LOGFIRE_TOKEN", "RUST_LOG"] {
        command.env_remove(other);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{problems}");
    told
}
