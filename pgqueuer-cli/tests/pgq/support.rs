//! A server, a database for each test, and running `pgq` on it.

use std::{
    process::{Command, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use expect_test::Expect;
use pgqueuer::{PgQueuer, prelude::*};
use sqlx::{AssertSqlSafe, PgPool};
use throwaway_postgres::Postgres;

/// One server for all tests. It ends with this process.
pub(crate) static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// Sends the welcome mail.
#[job(queue = "mail", priority = 3)]
pub(crate) async fn send_welcome(user_id: i64, locale: Option<String>) {
    let _ = (user_id, locale);
}

#[schedule("0 0 1 1 *", name = "cleanup")]
async fn clean_up() {}

/// As if it had failed at its last attempt.
pub(crate) const HOLD: &str = r#"UPDATE pgqueuer.jobs SET state = 'held', attempt = 25, failures = jsonb_build_array(jsonb_build_object(
    'attempt', 25, 'reason', 'panic', 'message', E'no such user\nand no mail', 'failed_at', '2030-01-01T00:00:00Z',
    'backtrace', 'at main.rs:1'))"#;

/// A database of its own.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        let admin = PgPool::connect(&SERVER.url("postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&admin).await.unwrap();
        let url = SERVER.url(&name);
        let pool = PgPool::connect(&url).await.unwrap();
        Self { url, pool }
    }

    pub(crate) async fn installed() -> Self {
        let database = Self::new().await;
        PgQueuer::new(database.pool.clone())
            .install()
            .await
            .unwrap();
        database
    }

    /// With the jobs of this file published, as a worker does at its start.
    pub(crate) async fn with_jobs() -> Self {
        let database = Self::installed().await;
        let worker = PgQueuer::new(database.pool.clone()).worker();
        worker.build().unwrap().drain().await.unwrap();
        database
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    pub(crate) async fn count_jobs(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pgqueuer.jobs")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The id of a job that is enqueued.
    pub(crate) fn enqueue(&self, args: &[&str]) -> String {
        let ran = self.pgq(&[&["enqueue"], args].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim().to_owned()
    }

    pub(crate) fn pgq(&self, args: &[&str]) -> Ran {
        run(pgq(args).env("DATABASE_URL", &self.url))
    }
}

/// `pgq`, with no database in its environment.
pub(crate) fn pgq(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgq"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("PG") || name == "DATABASE_URL" || name == "RUST_LOG" {
            command.env_remove(&*name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// How a process ended, and what it said.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn succeeds(self, stdout: &Expect) {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""));
        stdout.assert_eq(&self.stdout);
    }

    #[track_caller]
    pub(crate) fn fails(self, code: i32, stderr: &Expect) {
        stderr.assert_eq(&self.stderr);
        assert_eq!((self.code, self.stdout.as_str()), (code, ""));
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let ran = Ran {
        code: status.code().expect("pgq was not killed by a signal"),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    };
    // The password of all URLs in these tests.
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
    ran
}
