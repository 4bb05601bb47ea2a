//! Metrics: the page that lists them, what Prometheus itself says of them, and what is there when the
//! database is not. (What the numbers are is in `conformance::runtime::metrics`.)

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use pgqueuer::{
    SchemaName,
    metrics::{FAMILIES, Metrics},
    prelude::*,
};
use prometheus::Registry;
use sqlx::{Postgres, Transaction, postgres::PgConnectOptions};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    backend::{self, Database},
    scrape::{Scrape, get},
    support::job,
};

#[job]
async fn nothing() {}

/// A queue with something of everything that metrics can have.
async fn stage(pgq: &PgQueuer) {
    pgq.store().enqueue(&[job("mail")]).await.unwrap();
    let worker = pgq.worker().only_registered().register::<Nothing>();
    Nothing {}.enqueue(pgq).await.unwrap();
    worker.build().unwrap().drain().await.unwrap();
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Prometheus' own tool, by `PGQ_PROMTOOL` or on the path. If there is none, that is said even where the
/// output of tests is captured.
fn promtool(case: &str) -> Option<Command> {
    let program = env::var_os("PGQ_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let version = Command::new(&program).arg("--version").output();
    if version.is_ok() {
        return Some(Command::new(program));
    }
    assert!(
        env::var_os("PGQ_PROMTOOL").is_none(),
        "PGQ_PROMTOOL names no program"
    );
    let why = "needs promtool, of Debian's package prometheus";
    let _ = writeln!(io::stderr(), "left out: metrics::{case} ({why})");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_listed_is_exposed_and_pleases_promtool() {
    backend::on_postgres(async |it| {
        stage(&it.pgq).await;
        let scrape = Scrape::of(&it.pgq).await;
        for family in FAMILIES {
            assert!(scrape.has(family.name), "{} is missing", family.name);
        }
        let Some(mut promtool) = promtool("all_that_is_listed_is_exposed_and_pleases_promtool")
        else {
            return;
        };
        let check = promtool.args(["check", "metrics"]);
        let check = check.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut check = check.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = check.stdin.take().unwrap();
        stdin.write_all(scrape.text.as_bytes()).unwrap();
        drop(stdin);
        let checked = check.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && said.is_empty(), "{said}");
    })
    .await;
}

#[test]
fn promtool_finds_no_fault_with_the_rules() {
    for (what, file) in [
        ("check", "metrics.rules.yml"),
        ("test", "metrics.rules.test.yml"),
    ] {
        let Some(mut promtool) = promtool("promtool_finds_no_fault_with_the_rules") else {
            return;
        };
        let ran = promtool.args([what, "rules", file]).current_dir(docs());
        let ran = ran.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

/// Each family is a line of a table: name, type, labels, meaning.
#[test]
fn the_page_lists_what_is_exposed() {
    let page = std::fs::read_to_string(docs().join("metrics.md")).unwrap();
    let listed = page.lines().filter(|line| line.starts_with("| `pgqueuer_"));
    let listed: Vec<&str> = listed.collect();
    let exposed = FAMILIES.iter().map(|family| {
        let labels: Vec<String> = family.labels.iter().map(|it| format!("`{it}`")).collect();
        let (name, kind, labels) = (family.name, family.kind.as_str(), labels.join(", "));
        format!("| `{name}` | {kind} | {labels} | {} |", family.help)
    });
    assert_eq!(listed, exposed.collect::<Vec<_>>());
}

/// Those in the queries of the page, and in the rules.
#[test]
fn queries_and_rules_name_what_is_exposed() {
    for file in ["metrics.md", "metrics.rules.yml"] {
        let text = std::fs::read_to_string(docs().join(file)).unwrap();
        let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        let named = words.filter(|word| word.starts_with("pgqueuer_") && !word.ends_with('_'));
        let mut count = 0;
        for name in named {
            let suffixes = ["", "_sum", "_count", "_bucket"];
            let is_exposed = suffixes.iter().any(|suffix| {
                FAMILIES
                    .iter()
                    .any(|it| Some(it.name) == name.strip_suffix(suffix))
            });
            assert!(is_exposed, "{file}: {name}");
            count += 1;
        }
        assert!(count > 5, "{file}");
    }
}

#[tokio::test]
async fn a_registry_takes_what_is_of_the_process() {
    let pgq = PgQueuer::in_memory();
    let registry = Registry::new();
    let collector = Metrics::new(&pgq).collector();
    registry.register(Box::new(collector)).unwrap();
    stage(&pgq).await;
    let text = prometheus::TextEncoder::new();
    let text = text.encode_to_string(&registry.gather()).unwrap();
    let scrape = Scrape::parse(&text);
    assert_eq!(scrape.value("pgqueuer_worker_claim_jobs_sum"), 1.0);
    assert!(!scrape.has("pgqueuer_jobs"));
}

#[tokio::test]
async fn an_application_on_axum_serves_them() {
    let pgq = PgQueuer::in_memory();
    stage(&pgq).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let application = axum::Router::new().merge(pgqueuer::metrics::router(&pgq));
    let serving = async move { axum::serve(listener, application).await.unwrap() };
    let _serving = AbortOnDropHandle::new(tokio::spawn(serving));

    let (head, body) = get(&address.to_string()).await;

    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    assert_eq!(Scrape::parse(&body).value("pgqueuer_up"), 1.0);
}

/// Takes connections, and never says a word. Counts them.
async fn silent_server() -> (PgQueuer, Arc<AtomicUsize>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let accepting = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            taken.push(stream);
        }
    }));
    let options = PgConnectOptions::new().host("127.0.0.1").port(port);
    let pgq = PgQueuer::connect_lazy(options, SchemaName::default());
    (pgq, count, accepting)
}

/// The limit is three seconds.
#[tokio::test]
async fn a_database_that_is_silent_holds_up_no_scrape() {
    let (pgq, asked, _accepting) = silent_server().await;
    let metrics = Metrics::new(&pgq);
    let began = Instant::now();

    let scrapes = (0..10).map(|_| metrics.render());
    let scrapes = futures_util::future::join_all(scrapes).await;

    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    for text in scrapes {
        let scrape = Scrape::parse(&text);
        assert_eq!(scrape.value("pgqueuer_up"), 0.0);
        assert!(!scrape.has("pgqueuer_workers"));
        assert_eq!(scrape.value("pgqueuer_pool_connections_max"), 10.0);
    }
    // One reads, and the others wait for what it brings.
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Keeps everybody from the counts, as somebody does who alters them; and another handle of the queue.
async fn locked(database: &Database) -> (Transaction<'static, Postgres>, PgQueuer) {
    let mut locking = database.pool().begin().await.unwrap();
    let lock = database.sql("LOCK TABLE pgqueuer.counts IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(lock).execute(&mut *locking).await.unwrap();
    let (options, schema) = (database.options.clone(), database.schema.clone());
    let pgq = PgQueuer::connect_with(options, schema).await.unwrap();
    (locking, pgq)
}

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_of_a_table_that_is_locked_take_one_connection() {
    backend::on_postgres(async |it| {
        let (locking, pgq) = locked(it).await;
        let metrics = Metrics::new(&pgq);
        let pool = pgq.pool().unwrap();

        for _ in 0..2 {
            let scrape = Scrape::parse(&metrics.render().await);
            assert_eq!(scrape.value("pgqueuer_up"), 0.0);
        }

        assert_eq!(pool.size() as usize - pool.num_idle(), 1);
        locking.rollback().await.unwrap();
        let scrape = Scrape::parse(&metrics.render().await);
        assert_eq!(scrape.value("pgqueuer_up"), 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_of_a_table_that_is_locked_does_not_hold_up_the_end() {
    backend::on_postgres(async |it| {
        let (_locking, pgq) = locked(it).await;
        let scrape = Scrape::of(&pgq).await;
        assert_eq!(scrape.value("pgqueuer_up"), 0.0);

        let closed = tokio::time::timeout(Duration::from_secs(30), pgq.close());
        assert!(closed.await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_the_process_is_there_without_the_database() {
    backend::on_postgres(async |it| {
        let (options, schema) = (it.options.clone(), it.schema.clone());
        let pgq = PgQueuer::connect_with(options, schema).await.unwrap();
        stage(&pgq).await;
        pgq.close().await;
        let scrape = Scrape::of(&pgq).await;
        assert_eq!(scrape.value("pgqueuer_up"), 0.0);
        assert!(!scrape.has("pgqueuer_jobs"));
        let done = r#"pgqueuer_worker_attempts_total{kind="nothing",outcome="completed"}"#;
        assert_eq!(scrape.value(done), 1.0);
    })
    .await;
}
