//! The metrics of the queue, printed and served.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStderr, Command, Stdio},
};

use expect_test::expect;

use crate::support::{Database, pgq, run};

const WAITING: &str = r#"pgqueuer_jobs{kind="send_welcome",queue="mail",state="available"} 1"#;

/// `pgq` that serves. It ends with this value.
struct Server {
    process: Child,
    address: String,
    /// Kept open: it logs.
    _stderr: BufReader<ChildStderr>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("metrics are at http://");
        let address = url.and_then(|it| it.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("it says {line}"));
        // On this machine, wherever else it listens.
        let address = address.replace("0.0.0.0", "127.0.0.1");
        Self {
            process,
            address,
            _stderr: stderr,
        }
    }

    /// The head of the answer, and its body.
    fn get(&self, path: &str, header: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[track_caller]
    fn answers(&self, path: &str, header: &str, code: u16) -> String {
        let (head, body) = self.get(path, header);
        let status = format!("HTTP/1.1 {code} ");
        assert!(head.starts_with(&status), "{head}");
        body
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn with_a_job() -> Database {
    let database = Database::with_jobs().await;
    let ran = database.pgq(&["enqueue", "send_welcome", r#"{"user_id": 42}"#]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    database
}

#[tokio::test]
async fn metrics_are_printed() {
    let database = with_a_job().await;
    let ran = database.pgq(&["metrics"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let has = |line: &str| ran.stdout.lines().any(|it| it == line);
    assert!(has(WAITING) && has("pgqueuer_up 1"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("pgqueuer_worker_"), "{}", ran.stdout);
}

#[tokio::test]
async fn what_keeps_them_from_being_printed_is_said() {
    let nobody = ["--database-url", "postgres://me@127.0.0.1:1/app", "metrics"];
    let ran = run(&mut pgq(&nobody));
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("failed to connect"), "{}", ran.stderr);

    let empty = Database::new().await;
    let ran = empty.pgq(&["metrics"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    assert!(ran.stderr.contains("install"), "{}", ran.stderr);
}

#[tokio::test]
async fn metrics_are_served_until_told_to_stop() {
    let database = with_a_job().await;
    let mut command = pgq(&["metrics", "--listen", "127.0.0.1:0"]);
    let mut server = Server::start(command.env("DATABASE_URL", &database.url));

    let body = server.answers("/metrics", "", 200);
    assert!(body.lines().any(|it| it == WAITING), "{body}");
    server.answers("/", "", 404);

    if cfg!(unix) {
        let pid = server.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.unwrap().success());
        assert!(server.process.wait().unwrap().success());
    }
}

#[test]
fn they_are_served_without_a_database() {
    let mut command = pgq(&["metrics", "--listen", "127.0.0.1:0"]);
    let nobody = "postgres://me@127.0.0.1:1/app";
    let server = Server::start(command.env("DATABASE_URL", nobody));
    let body = server.answers("/metrics", "", 200);
    assert!(body.lines().any(|it| it == "pgqueuer_up 0"), "{body}");
    assert!(!body.contains("pgqueuer_jobs"), "{body}");
}

#[test]
fn beyond_loopback_they_need_a_token() {
    // Taken, so that it ends also if it does not mind.
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port();
    let listen = ["metrics", "--listen", &address.to_string()];
    let mut command = pgq(&listen);
    let command = command.env("DATABASE_URL", "postgres://me@127.0.0.1:1/app");
    let message = format!(
        "error: {address} can be reached from other machines, so metrics need a token there; set \
         PGQUEUER_METRICS_TOKEN, or listen at 127.0.0.1:{port}\n"
    );
    let ran = run(command);
    assert_eq!((ran.code, ran.stderr), (2, message.clone()));
    // One that is empty is none.
    let ran = run(command.env("PGQUEUER_METRICS_TOKEN", ""));
    assert_eq!((ran.code, ran.stderr), (2, message));
}

#[tokio::test]
async fn only_who_has_the_token_is_answered() {
    let database = with_a_job().await;
    let mut command = pgq(&["metrics", "--listen", "0.0.0.0:0"]);
    let command = command
        .env("DATABASE_URL", &database.url)
        // As a file has it.
        .env("PGQUEUER_METRICS_TOKEN", "s3cret\n");
    let server = Server::start(command);
    for header in [
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3cret2\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: s3cret\r\n",
        "Authorization: Basic: s3cret\r\n",
        "Authorization: x\r\n",
    ] {
        let body = server.answers("/metrics", header, 401);
        assert_eq!(body, "", "{header}");
    }
    for scheme in ["Bearer", "bearer"] {
        let header = format!("Authorization: {scheme} s3cret\r\n");
        let body = server.answers("/metrics", &header, 200);
        assert!(body.lines().any(|it| it == WAITING), "{body}");
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    let mut command = pgq(&["metrics", "--listen", "127.0.0.1:0"]);
    let command = command.env("DATABASE_URL", "postgres://me@127.0.0.1:1/app");
    run(command.env("PGQUEUER_METRICS_TOKEN", "two\nlines")).fails(
        2,
        &expect![[r#"
            error: the token for metrics is none that a header can carry; use letters and digits
        "#]],
    );
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let listen = |address: &str| {
        let nobody = ["--database-url", "postgres://me@127.0.0.1:1/app", "metrics"];
        run(&mut pgq(&[&nobody[..], &["--listen", address]].concat()))
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = listen(&address);
    assert_eq!(ran.code, 5);
    let message = format!("error: failed to listen at {address} for metrics\ncaused by: ");
    assert!(ran.stderr.starts_with(&message), "{}", ran.stderr);

    listen("here").fails(
        2,
        &expect![[r#"
        error: `here` is not an address and a port; write 127.0.0.1:9464, or [::1]:9464
    "#]],
    );
}
