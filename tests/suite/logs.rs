//! What workers say: one line for what matters, with fields that stay, and nothing that is nobody's
//! business.
//!
//! A subscriber of a test hears its own thread only, so these have one.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use pgqueuer::{
    Hosts, Job, JobHandle, JobState, Payload, PgQueuer, SchemaName, WorkerBuilder, WorkerConfig,
    job,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::{
    backend,
    support::{claim, enqueue, expire, in_time, open_session},
};

/// What no line has.
const PAYLOAD: &str = "s3cret-payload";
const PASSWORD: &str = "hunter2";

#[job(name = "log_fine")]
async fn fine(text: String) {
    drop(text);
}

#[job(name = "log_fails", max_attempts = 2, backoff = "1ms")]
async fn fails(text: String) -> Result<(), String> {
    drop(text);
    Err("the mail server\nis away".to_owned())
}

#[job(name = "log_counts")]
async fn count(number: i64) {
    let _ = number;
}

/// A line, as a machine reads it.
#[derive(Clone, Debug)]
struct Line {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Line {
    fn message(&self) -> &str {
        &self.fields["message"]
    }

    fn has(&self, fields: &[(&str, &str)]) -> bool {
        let has =
            |(name, value): &(&str, &str)| self.fields.get(name).is_some_and(|it| it == value);
        fields.iter().all(has)
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.fields.insert(field.name(), text);
    }
}

/// Hears all lines and spans of pgqueuer on this thread.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Line>>>);

impl Heard {
    fn start(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::registry().with(self.clone());
        tracing::subscriber::set_default(subscriber)
    }

    fn keep(&self, target: &str, level: Level, record: impl FnOnce(&mut Line)) {
        if target.starts_with("pgqueuer") {
            let fields = BTreeMap::new();
            let mut line = Line { level, fields };
            record(&mut line);
            self.0.lock().unwrap().push(line);
        }
    }

    fn all(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// What an operator reads. Spans have no message.
    fn lines(&self) -> Vec<Line> {
        let mut all = self.all();
        all.retain(|it| it.level <= Level::INFO && it.fields.contains_key("message"));
        all
    }

    /// The only line about a job that has these.
    fn one(&self, fields: &[(&str, &str)]) -> Line {
        let mut lines = self.lines();
        lines.retain(|it| it.has(fields));
        assert_eq!(lines.len(), 1, "{fields:?}: {lines:#?}");
        lines.remove(0)
    }

    fn assert_discreet(&self) {
        let told = format!("{:?}", self.all());
        assert!(
            !told.contains(PAYLOAD) && !told.contains(PASSWORD),
            "{told}"
        );
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        self.keep(metadata.target(), *metadata.level(), |it| event.record(it));
    }

    fn on_new_span(
        &self,
        span: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: Context<'_, S>,
    ) {
        let metadata = span.metadata();
        self.keep(metadata.target(), *metadata.level(), |it| span.record(it));
    }
}

fn worker(pgq: &PgQueuer) -> WorkerBuilder {
    let config = WorkerConfig {
        poll_interval: Duration::from_millis(50),
        ..WorkerConfig::default()
    };
    let worker = pgq.worker().only_registered().config(config);
    worker
        .register::<Fine>()
        .register::<Fails>()
        .register::<Count>()
}

fn text() -> String {
    PAYLOAD.to_owned()
}

async fn a_healthy_run_says_when_it_starts_and_stops(pgq: &PgQueuer) {
    let heard = Heard::default();
    let _hearing = heard.start();
    let jobs = (0..100).map(|_| Fine { text: text() });
    Fine::enqueue_many(pgq, jobs).await.unwrap();
    let drained = worker(pgq).build().unwrap().drain();
    let report = in_time("the end of a drain", drained).await.unwrap();

    assert_eq!(report.completed, 100);
    let lines = heard.lines();
    let messages: Vec<&str> = lines.iter().map(Line::message).collect();
    assert_eq!(
        messages,
        ["worker started", "worker stops", "worker stopped"]
    );
    assert!(
        lines[2].has(&[("completed", "100"), ("held", "0")]),
        "{lines:#?}"
    );
    let debug = heard.all();
    let completed = debug
        .iter()
        .filter(|it| it.has(&[("job.outcome", "completed")]));
    assert_eq!(completed.count(), 100);
    heard.assert_discreet();
}

async fn each_attempt_that_fails_has_a_line(pgq: &PgQueuer) {
    let heard = Heard::default();
    let _hearing = heard.start();
    let job = Fails { text: text() }.enqueue(pgq).await.unwrap();
    let id = job.id().to_string();
    let ended = async move {
        let _ = job.wait().await;
    };
    let running = worker(pgq).build().unwrap().run_until(ended);
    in_time("the job to be held", running).await.unwrap();

    let why = [
        ("job.kind", "log_fails"),
        ("job.failure", "error"),
        ("error", "the mail server\nis away"),
    ];
    let retried = heard.one(&[("job.id", &id), ("job.attempt", "1")]);
    assert_eq!(retried.level, Level::WARN);
    assert!(
        retried.has(&why) && retried.has(&[("job.outcome", "retried")]),
        "{retried:#?}"
    );
    assert!(retried.fields.contains_key("retry_in_ms"), "{retried:#?}");
    let held = heard.one(&[("job.id", &id), ("job.attempt", "2")]);
    assert_eq!(held.level, Level::ERROR);
    assert!(
        held.has(&why) && held.has(&[("job.outcome", "held")]),
        "{held:#?}"
    );
    assert!(held.fields.contains_key("ran_ms"), "{held:#?}");
    heard.assert_discreet();
}

/// Why a payload does not decode is with the job, but not in the log: serde quotes it.
async fn a_payload_that_does_not_decode_is_not_quoted(pgq: &PgQueuer) {
    let heard = Heard::default();
    let _hearing = heard.start();
    let mut job = crate::support::job("log_counts");
    job.payload = Payload {
        bytes: format!("{{\"number\": \"{PAYLOAD}\"}}").into_bytes(),
        ..job.payload
    };
    let bad = enqueue(&**pgq.store(), job).await;
    let drained = worker(pgq).build().unwrap().drain();
    in_time("the end of a drain", drained).await.unwrap();

    let held = heard.one(&[("job.id", &bad.to_string()), ("job.outcome", "held")]);
    assert!(held.has(&[("job.failure", "undecodable")]), "{held:#?}");
    let record = pgq.get_job(bad).await.unwrap().unwrap();
    assert_eq!(record.state, JobState::Held);
    assert!(record.failures[0].message.contains(PAYLOAD), "{record:#?}");
    heard.assert_discreet();
}

async fn a_rescued_job_has_a_line(pgq: &PgQueuer) {
    let heard = Heard::default();
    let _hearing = heard.start();
    let store = &**pgq.store();
    let id = Fine { text: text() }.enqueue(pgq).await.unwrap().id();
    let dead = open_session(store).await;
    assert_eq!(claim(store, dead, &["log_fine"], 1).await.len(), 1);
    expire(store, dead).await;
    let job = JobHandle::<Fine>::of(pgq, id);
    let ended = async move {
        let _ = job.wait().await;
    };
    let running = worker(pgq).build().unwrap().run_until(ended);
    in_time("the job to be done", running).await.unwrap();

    let (id, dead) = (id.to_string(), dead.to_string());
    let rescued = heard.one(&[("job.id", &id), ("job.outcome", "rescued")]);
    assert_eq!(rescued.level, Level::WARN);
    assert!(
        rescued.has(&[("job.kind", "log_fine"), ("session", &dead)]),
        "{rescued:#?}"
    );
    heard.assert_discreet();
}

macro_rules! log_cases {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test]
            async fn memory() {
                super::backend::in_memory(async |pgq| super::$case(pgq).await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::backend::on_postgres(async |it| super::$case(&it.pgq).await).await;
            }
        }
    )+};
}

log_cases! {
    a_healthy_run_says_when_it_starts_and_stops,
    each_attempt_that_fails_has_a_line,
    a_payload_that_does_not_decode_is_not_quoted,
    a_rescued_job_has_a_line,
}

/// Nobody listens there.
#[tokio::test]
async fn a_password_is_not_told_when_there_is_no_database() {
    let heard = Heard::default();
    let _hearing = heard.start();
    let url = format!("postgres://somebody:{PASSWORD}@127.0.0.1:1/nothing");
    let hosts: Hosts = url.parse().unwrap();
    let pgq = PgQueuer::connect_lazy(hosts, SchemaName::default());
    let not_begun = worker(&pgq).build().unwrap().drain().await.unwrap_err();

    let told = format!("{not_begun:?}");
    assert!(!told.contains(PASSWORD), "{told}");
    heard.assert_discreet();
}
