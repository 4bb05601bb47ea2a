//! A worker that serves its metrics.

use std::process::Stdio;

use pgqueuer::Job as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use super::{SOON, Stage, end_of, jobs::CountMe, send};
use crate::{
    scrape::{Scrape, get},
    support::eventually,
};

/// Starts a worker, and returns where it says that its metrics are.
async fn serving(command: &mut Command) -> (Child, String) {
    let mut worker = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(worker.stderr.take().unwrap()).lines();
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it says so");
            let url = line.strip_prefix("metrics are at http://");
            if let Some(address) = url.and_then(|it| it.strip_suffix("/metrics")) {
                return address.to_owned();
            }
        }
    };
    let address = tokio::time::timeout(SOON, said).await.unwrap();
    (worker, address)
}

#[tokio::test]
async fn a_worker_serves_metrics_as_long_as_it_runs() {
    let stage = Stage::set().await;
    let mut command = stage.worker_command(&["--metrics", "127.0.0.1:0"]);
    let (worker, address) = serving(&mut command).await;
    CountMe { number: 1 }.enqueue(&stage.pool).await.unwrap();

    let scrape = eventually("both say that the job is done", async || {
        let (_, body) = get(&address).await;
        let scrape = Scrape::parse(&body);
        let done = |family: &str| {
            let labels = r#"{kind="count_me",outcome="completed"}"#;
            scrape.get(&format!("{family}{labels}")) == Some(1.0)
        };
        let done = done("pgqueuer_worker_attempts_total") && done("pgqueuer_attempts_total");
        done.then_some(scrape)
    })
    .await;
    assert_eq!(scrape.value("pgqueuer_worker_active"), 1.0);
    assert_eq!(scrape.value("pgqueuer_worker_claim_jobs_sum"), 1.0);

    // One who has connected, and says nothing, does not hold up the end.
    let _silent = TcpStream::connect(&address).await.unwrap();
    send("-TERM", &worker);
    assert!(end_of(worker, SOON).await.success());
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn the_environment_is_enough() {
    let stage = Stage::set().await;
    // Without `worker`, which is the default.
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-worker"));
    let command = command
        .env("DATABASE_URL", &stage.url)
        .env("PGQUEUER_METRICS", "127.0.0.1:0")
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let (_worker, address) = serving(command).await;
    let (head, body) = get(&address).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(Scrape::parse(&body).value("pgqueuer_up"), 1.0);
}

#[tokio::test]
async fn an_empty_environment_is_none() {
    let stage = Stage::set().await;
    let mut command = stage.worker_command(&["--drain"]);
    let ended = command.env("PGQUEUER_METRICS", "").status().await.unwrap();
    assert!(ended.success());
}

#[tokio::test]
async fn an_address_that_is_taken_keeps_the_worker_from_starting() {
    let stage = Stage::set().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = stage.worker_command(&["--drain", "--metrics", &address]);
    let ran = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    let expected = format!("error: failed to listen at {address} for metrics");
    assert!(said.contains(&expected), "{said}");
    assert_eq!(ran.status.code(), Some(5));
}
