//! `pgqueuer_cli::App`: the commands of a program that has jobs. (What `pgq` does by itself is
//! tested where the program is.)

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use expect_test::expect;
use pgqueuer::{
    __private::FrameWriter, Argument, Context, HandlerFuture, Inject, Job, JobId, JobOptions,
    Outcome, Payload, PgQueuer, Requirement, Result, Source, State,
};
use pgqueuer_cli::{App, Failure};
use serde::{Deserialize, Serialize};

use crate::backend::fresh_database;

/// Counts its runs. By hand, so that the other tests of this program do not know it.
#[derive(Serialize, Deserialize)]
struct Count {
    by: u32,
}

type Counter = Arc<AtomicU32>;

impl Job for Count {
    type Output = ();

    const KIND: &'static str = "count";
    const ALIASES: &'static [&'static str] = &["tally"];
    const OPTIONS: JobOptions = JobOptions {
        queue: "numbers",
        priority: 2,
        max_attempts: 4,
        ..JobOptions::DEFAULT
    };
    const SOURCE: Source = Source {
        file: "src/jobs.rs",
        line: 7,
    };
    const ARGUMENTS: &'static [Argument] = &[Argument {
        name: "by",
        type_name: "u32",
    }];

    /// As `#[job]` has it, and not the default.
    fn encode(&self) -> Result<Payload> {
        FrameWriter::new(Self::KIND)
            .argument("by", &self.by)?
            .finish()
    }

    fn requirements() -> Vec<Requirement> {
        State::<Counter>::requirements()
    }

    fn run(self, context: Context) -> Result<HandlerFuture> {
        let counter = State::<Counter>::inject(&context)?;
        Ok(Box::pin(async move {
            counter.fetch_add(self.by, Ordering::Relaxed);
            Outcome::done()
        }))
    }
}

fn app(counter: &Counter) -> App {
    App::new()
        .configure(|worker| worker.only_registered())
        .register::<Count>()
        .state(Arc::clone(counter))
}

/// What an app printed, or how it failed.
async fn run(app: App, args: &[&str]) -> Result<String, Failure> {
    let mut output = Vec::new();
    let args = ["app"].iter().chain(args).copied();
    app.try_run_from(args, &mut output).await?;
    Ok(String::from_utf8(output).expect("output is text"))
}

async fn code(app: App, args: &[&str]) -> (u8, String) {
    let failure = run(app, args).await.unwrap_err();
    (failure.exit_code(), failure.to_string())
}

#[tokio::test]
async fn a_worker_installs_the_schema_and_runs_what_is_enqueued() {
    let url = fresh_database().await;
    let counter = Counter::default();
    let on = |args: &[&'static str]| {
        let args: Vec<String> = ["--database-url", &url]
            .iter()
            .chain(args)
            .map(|it| (*it).to_owned())
            .collect();
        let app = app(&counter);
        async move {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(app, &args).await
        }
    };

    assert_eq!(
        on(&["--drain", "--install"]).await.unwrap(),
        "0 completed\n"
    );
    on(&["enqueue", "count", r#"{"by": 40}"#]).await.unwrap();
    let id = on(&["enqueue", "tally", r#"{"by": 2}"#]).await.unwrap();
    let job = PgQueuer::connect(&url).await.unwrap();
    let job = job.get_job(id.trim().parse::<JobId>().unwrap()).await;
    assert_eq!(job.unwrap().unwrap().priority, 2);

    let options = ["--queue", "numbers=1", "--concurrency", "5", "--no-listen"];
    let drained = on(&[&["worker", "--drain", "--grace", "1s"], &options[..]].concat()).await;
    assert_eq!(drained.unwrap(), "2 completed\n");
    assert_eq!(counter.load(Ordering::Relaxed), 42);

    // What looks at the queue is there, too.
    for watch in [&["backlog"][..], &["dashboard", "--once"]] {
        let shown = on(watch).await.unwrap();
        assert!(shown.contains("count"), "{shown}");
    }
    let workers = on(&["workers"]).await.unwrap();
    assert_eq!(workers, "no worker is running\n");
}

#[tokio::test]
async fn jobs_are_listed_without_a_database() {
    let printed = run(app(&Counter::default()), &["kinds"]).await.unwrap();
    expect![[r#"
        KIND   ALIASES  QUEUE    ARGUMENTS  ATTEMPTS  SOURCE
        count  tally    numbers  by: u32    4         src/jobs.rs:7
    "#]]
    .assert_eq(&printed);
}

#[tokio::test]
async fn jobs_are_listed_as_json() {
    let printed = run(app(&Counter::default()), &["kinds", "--format", "json"]).await;
    let jobs: serde_json::Value = serde_json::from_str(&printed.unwrap()).unwrap();
    assert_eq!(jobs[0]["aliases"], serde_json::json!(["tally"]));
    assert_eq!(jobs[0]["arguments"][0]["type"], "u32");
}

#[tokio::test]
async fn arguments_are_checked_by_their_types_before_connecting() {
    let nowhere = ["--database-url", "postgres://localhost:1/nowhere"];
    let enqueue = |kind, arguments| {
        let args = [&nowhere[..], &["enqueue", kind, arguments]].concat();
        async move { code(app(&Counter::default()), &args).await }
    };

    let (code, message) = enqueue("count", r#"{"by": -1}"#).await;
    assert_eq!(
        (code, message.as_str()),
        (5, "the arguments do not fit `count(by: u32)`")
    );
    let (code, message) = enqueue("cuont", "{}").await;
    assert_eq!(code, 5);
    assert!(message.contains("did you mean `count`?"), "{message}");
    let (code, _) = enqueue("count", r#"{"by": 1}"#).await;
    assert_eq!(code, 3);
}

#[tokio::test]
async fn a_program_that_is_set_up_wrongly_is_wrong_usage() {
    let url = ["--database-url", "postgres://localhost:1/nowhere"];

    let none = App::new().configure(|worker| worker.only_registered());
    let (status, message) = code(none, &url).await;
    assert_eq!(status, 2);
    assert!(message.contains("use my_jobs as _;"), "{message}");

    let stateless = App::new()
        .configure(|worker| worker.only_registered())
        .register::<Count>();
    let (status, message) = code(stateless, &url).await;
    assert_eq!(status, 2);
    assert!(message.contains("(src/jobs.rs:7)"), "{message}");

    let args = [&url[..], &["--queue", "nonsense"]].concat();
    let (status, message) = code(app(&Counter::default()), &args).await;
    assert_eq!(status, 2);
    assert!(message.contains("the queues are numbers"), "{message}");
    for wrong in ["numbers=0", "numbers=x"] {
        let args = [&url[..], &["--queue", wrong]].concat();
        assert_eq!(code(app(&Counter::default()), &args).await.0, 2);
    }
}

#[tokio::test]
async fn a_worker_does_not_start_without_the_schema() {
    let url = fresh_database().await;
    let (status, message) = code(app(&Counter::default()), &["--database-url", &url]).await;
    assert_eq!(status, 4);
    assert!(message.contains("install"), "{message}");
}

#[tokio::test]
async fn payloads_are_shown_and_edited_by_their_types() {
    let url = fresh_database().await;
    let pgq = PgQueuer::connect(&url).await.unwrap();
    pgq.install().await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let job = Count { by: 40 }
        .options()
        .delay(hour)
        .enqueue(&pgq)
        .await
        .unwrap();
    let id = job.id().to_string();
    let on = |args: &[&str]| {
        let args: Vec<String> = ["--database-url", &url]
            .iter()
            .chain(args)
            .map(|it| (*it).to_owned())
            .collect();
        async move {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run(app(&Counter::default()), &args).await
        }
    };

    // It is bincode, which only the types can read.
    let shown = on(&["jobs", "show", &id]).await.unwrap();
    assert!(shown.contains("arguments {\"by\":40}"), "{shown}");
    let listed = on(&["jobs", "list", "--all", "--format", "json"])
        .await
        .unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["arguments"]["by"], 40);
    assert_eq!(listed[0]["signature"], "count(by: u32)");

    let edit = ["jobs", "edit", &id, "--arguments"];
    let wrong = on(&[&edit[..], &[r#"{"by": -1}"#]].concat())
        .await
        .unwrap_err();
    assert_eq!(wrong.exit_code(), 5);
    assert_eq!(
        wrong.to_string(),
        "the arguments do not fit `count(by: u32)`"
    );
    let edited = on(&[&edit[..], &[r#"{"by": 2}"#]].concat()).await.unwrap();
    assert_eq!(edited, "edited 1\n");
    let shown = on(&["jobs", "show", &id]).await.unwrap();
    assert!(shown.contains("arguments {\"by\":2}"), "{shown}");
}

#[tokio::test]
async fn shells_and_manuals_know_the_worker() {
    for args in [&["completions", "bash"][..], &["man"]] {
        let printed = run(app(&Counter::default()), args).await.unwrap();
        assert!(printed.contains("worker"), "{args:?}: {printed}");
        assert!(!printed.contains("pgqueuer-cli "), "{args:?}: {printed}");
    }
}
