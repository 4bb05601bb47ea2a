//! A busy queue, the same each time.

use std::{collections::BTreeMap, time::Duration};

use pgqueuer::{
    Codec, JobId, Measures, Payload, PgQueuer, Schedule, Scope, SetLimit, Tally,
    store::{
        ClaimRequest, Disposition, Failure, FailureReason, JobToEnqueue, KindRecord, Look,
        MinuteToAdd, RunAt, ScheduleToMake, ScheduledJob, SessionId, Settlement, WorkerReport,
    },
};

/// Ids of jobs in the queue that [`busy`] makes.
pub(super) struct Ids {
    pub(super) held: Vec<JobId>,
    pub(super) waiting: Vec<JobId>,
    pub(super) running: Vec<JobId>,
    pub(super) scheduled: Vec<JobId>,
}

/// A queue in memory at a time that does not pass, with waiting, running, scheduled and held jobs, a
/// paused queue, a limited kind, two workers and half an hour of work behind it.
pub(super) async fn busy() -> (PgQueuer, Ids) {
    let pgq = PgQueuer::in_memory_at("2030-01-31T12:00:20Z".parse().unwrap());
    let kinds = [
        (
            "send_welcome",
            "mail",
            r#"[{"name": "user_id", "type": "i64"}]"#,
        ),
        ("send_reminder", "mail", "[]"),
        (
            "import_orders",
            "default",
            r#"[{"name": "path", "type": "String"}]"#,
        ),
        ("resize_picture", "default", "[]"),
        ("monthly_report", "reports", "[]"),
    ];
    let records: Vec<KindRecord> = kinds
        .iter()
        .map(|(kind, queue, arguments)| record(kind, queue, arguments))
        .collect();
    pgq.store().publish_kinds(&records).await.unwrap();

    let session = pgq.store().open_session("web-1:4711", LEASE).await.unwrap();
    let imports = enqueue(&pgq, "import_orders", 3, RunAt::Now).await;
    hold(&pgq, session, "import_orders").await;
    let pictures = enqueue(&pgq, "resize_picture", 2, RunAt::Now).await;
    claim(&pgq, session, "resize_picture").await;
    tokio::time::advance(Duration::from_secs(90)).await;

    let welcomes = enqueue(&pgq, "send_welcome", 12, RunAt::Now).await;
    enqueue(&pgq, "monthly_report", 1, RunAt::Now).await;
    let later = RunAt::After(Duration::from_secs(7200));
    let reminders = enqueue(&pgq, "send_reminder", 4, later).await;
    tokio::time::advance(Duration::from_secs(10)).await;

    let renewed = pgq.store().renew_session(session, LEASE).await;
    assert!(renewed.unwrap());
    report(&pgq, session, &[("resize_picture", 2)]).await;
    let other = pgq.store().open_session("mailer", LEASE).await.unwrap();
    report(&pgq, other, &[]).await;
    pgq.store().arm_bell(other, true).await.unwrap();
    work(&pgq, session).await;
    pgq.pause(&Scope::Queue("reports".to_owned()))
        .await
        .unwrap();
    let limited = Scope::Kind("resize_picture".to_owned());
    let limits = [SetLimit::Concurrency(Some(4))];
    pgq.set_limits(&limited, &limits).await.unwrap();
    schedules(&pgq).await;
    let ids = Ids {
        held: imports,
        waiting: welcomes,
        running: pictures,
        scheduled: reminders,
    };
    (pgq, ids)
}

const LEASE: Duration = Duration::from_secs(300);

fn record(kind: &str, queue: &str, arguments: &str) -> KindRecord {
    KindRecord {
        kind: kind.to_owned(),
        queue: queue.to_owned(),
        priority: 0,
        max_attempts: 5,
        on_failure: "hold".to_owned(),
        retain_seconds: 86_400,
        arguments: serde_json::from_str(arguments).unwrap(),
        source: "src/jobs.rs:1".to_owned(),
        job: kind.to_owned(),
        limit_by: Vec::new(),
        unique_by: None,
        unique_millis: None,
    }
}

pub(super) async fn enqueue(pgq: &PgQueuer, kind: &str, jobs: usize, run_at: RunAt) -> Vec<JobId> {
    let job = JobToEnqueue {
        kind: kind.to_owned().into(),
        priority: 0,
        payload: Payload {
            codec: Codec::Json,
            bytes: br#"{"path": "/srv/in/orders.csv", "user_id": 42}"#.to_vec(),
        },
        headers: [("tenant".to_owned(), "acme".to_owned())].into(),
        run_at,
        limit_key: None,
    };
    pgq.store().enqueue(&vec![job; jobs]).await.unwrap()
}

async fn claim(pgq: &PgQueuer, session: SessionId, kind: &str) -> Vec<pgqueuer::store::ClaimedJob> {
    let request = ClaimRequest {
        session,
        kinds: &[kind],
        limit: 100,
        bounds: &[],
        look: Look::Everywhere,
        has_freed: true,
    };
    pgq.store().claim(&request).await.unwrap().jobs
}

async fn hold(pgq: &PgQueuer, session: SessionId, kind: &str) {
    let settled = claim(pgq, session, kind).await.into_iter().map(|job| {
        let message = "failed to import: /srv/in/orders.csv: permission denied";
        Settlement {
            key: job.key,
            place: job.place,
            disposition: Disposition::Hold,
            failure: Some(Failure::new(1, FailureReason::Error, message)),
            result: None,
        }
    });
    let settled: Vec<Settlement> = settled.collect();
    pgq.store().settle(session, &settled).await.unwrap();
}

async fn report(pgq: &PgQueuer, session: SessionId, running: &[(&str, u64)]) {
    let running: BTreeMap<String, u64> = running
        .iter()
        .map(|(kind, jobs)| ((*kind).to_owned(), *jobs))
        .collect();
    let concurrency = 20;
    let report = WorkerReport {
        fronts: Vec::new(),
        concurrency,
        running,
    };
    pgq.store().report(session, &report).await.unwrap();
}

/// What was done in the last half an hour: more and more.
async fn work(pgq: &PgQueuer, session: SessionId) {
    let mut done = Vec::new();
    for minute in 0..30_u64 {
        let attempts = 60 - minute * 2;
        let mut measures = Measures::default();
        let mut tally = Tally::default();
        tally.completed = 1;
        for attempt in 0..attempts {
            let waited = Duration::from_millis(2 + attempt);
            let ran = Duration::from_millis(40 + attempt * 3);
            measures.add_attempt(&tally, waited, ran);
        }
        done.push(MinuteToAdd {
            ago: Duration::from_secs(minute * 60),
            session,
            kind: "send_welcome".to_owned(),
            measures,
        });
    }
    pgq.store().add_minutes(&done).await.unwrap();
}

async fn schedules(pgq: &PgQueuer) {
    for (name, rule, zone) in [
        ("import-nightly", "0 3 * * *", "Europe/Oslo"),
        ("remind", "every 90s", "UTC"),
    ] {
        let new = ScheduleToMake {
            name: name.to_owned(),
            schedule: Schedule::new(rule).zone(zone),
            job: ScheduledJob {
                kind: "import_orders".to_owned(),
                payload: Payload {
                    codec: Codec::Json,
                    bytes: b"{}".to_vec(),
                },
                limit_key: None,
                unique_key: None,
            },
            priority: None,
            headers: [].into(),
        };
        pgq.create_encoded_schedule(&new).await.unwrap();
    }
    pgq.pause_schedule("remind").await.unwrap();
}
