//! What a worker refuses before it runs anything.

use std::time::Duration;

use pgqueuer::{ErrorKind, PgQueuer, State, Worker, WorkerBuilder, WorkerConfig, job};

use super::{super::runtime_cases, Journal, worker};

runtime_cases! {
    refuses_to_have_no_job,
    refuses_two_jobs_of_one_kind,
    refuses_an_alias_that_is_a_kind,
    takes_the_same_job_twice,
    refuses_to_lack_a_resource_and_lists_all,
    lacks_nothing_for_queues_that_it_does_not_work,
    refuses_a_queue_that_no_job_belongs_to,
    refuses_a_kind_of_300_characters,
    refuses_a_kind_with_a_space,
    refuses_an_empty_kind,
    refuses_no_concurrency,
    refuses_a_queue_without_concurrency,
    refuses_settings_out_of_range,
    shows_its_jobs,
}

fn refusal(worker: WorkerBuilder) -> String {
    let error = worker.build().expect_err("it should be refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

fn empty(pgq: &PgQueuer) -> WorkerBuilder {
    worker(pgq, &Journal::default())
}

#[job]
async fn plain() {}

#[job(name = "plain")]
async fn twin() {}

#[job(aliases = ["plain"])]
async fn successor() {}

struct Mailer;
struct Printer;

#[job(queue = "mail")]
async fn send(mailer: State<Mailer>) {
    let _: &Mailer = &mailer;
}

#[job(queue = "mail")]
async fn send_and_print(mailer: State<Mailer>, printer: State<Printer>) {
    let _: (&Mailer, &Printer) = (&mailer, &printer);
}

async fn refuses_to_have_no_job(pgq: &PgQueuer) {
    let message = refusal(empty(pgq));

    assert!(message.contains("no job"), "{message}");
}

async fn refuses_two_jobs_of_one_kind(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<Plain>().register::<Twin>());

    assert!(message.contains("`plain`"), "{message}");
    let places = message.matches("building.rs:").count();
    assert_eq!(places, 2, "it names both places: {message}");
}

async fn refuses_an_alias_that_is_a_kind(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<Plain>().register::<Successor>());

    assert!(message.contains("`plain`"), "{message}");
}

async fn takes_the_same_job_twice(pgq: &PgQueuer) {
    let built = empty(pgq).register::<Plain>().register::<Plain>().build();

    assert_eq!(built.map(|it| it.jobs().count()).unwrap(), 1);
}

async fn refuses_to_lack_a_resource_and_lists_all(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<Send>().register::<SendAndPrint>());

    for part in ["Mailer", "Printer", "`send`", "`send_and_print`", ".state("] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

async fn lacks_nothing_for_queues_that_it_does_not_work(pgq: &PgQueuer) {
    let worker = empty(pgq).register::<Send>().register::<Plain>();

    let built = worker.only_queues(["default"]).build();

    assert!(built.is_ok(), "{built:?}");
}

async fn refuses_a_queue_that_no_job_belongs_to(pgq: &PgQueuer) {
    let only = refusal(empty(pgq).register::<Plain>().only_queues(["mial"]));
    let bound = refusal(empty(pgq).register::<Plain>().queue("mial", 3));

    for message in [only, bound] {
        assert!(message.contains("`mial`"), "{message}");
        assert!(
            message.contains("default"),
            "it lists the queues: {message}"
        );
    }
}

/// Jobs written by hand, whose names no macro has checked.
mod by_hand {
    use pgqueuer::{Context, HandlerFuture, Job, Result};

    const THIRTY: &str = "abcdefghijklmnopqrstuvwxyz1234";

    macro_rules! by_hand {
        ($name:ident, $kind:expr) => {
            #[derive(serde::Serialize, serde::Deserialize)]
            pub(super) struct $name {}

            impl Job for $name {
                type Output = ();

                const KIND: &'static str = $kind;

                fn run(self, _: Context) -> Result<HandlerFuture> {
                    unreachable!("it is refused")
                }
            }
        };
    }

    const THREE_HUNDRED: [u8; 300] = {
        let mut bytes = [0; 300];
        let mut index = 0;
        while index < 300 {
            bytes[index] = THIRTY.as_bytes()[index % 30];
            index += 1;
        }
        bytes
    };

    by_hand!(
        TooLong,
        match std::str::from_utf8(&THREE_HUNDRED) {
            Ok(kind) => kind,
            Err(_) => "",
        }
    );
    by_hand!(WithSpace, "send mail");
    by_hand!(Empty, "");
}

async fn refuses_a_kind_of_300_characters(pgq: &PgQueuer) {
    let built = refusal(empty(pgq).register::<by_hand::TooLong>());
    let enqueued = pgqueuer::Job::enqueue(by_hand::TooLong {}, pgq).await;

    let enqueued = enqueued.expect_err("it should be refused").to_string();
    for message in [built, enqueued] {
        assert!(
            message.contains("300") && message.contains("128"),
            "{message}"
        );
    }
}

async fn refuses_a_kind_with_a_space(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<by_hand::WithSpace>());

    assert!(message.contains("send mail"), "{message}");
}

async fn refuses_an_empty_kind(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<by_hand::Empty>());

    assert!(message.contains("empty"), "{message}");
}

async fn refuses_no_concurrency(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<Plain>().concurrency(0));

    assert!(message.contains("concurrency"), "{message}");
}

async fn refuses_a_queue_without_concurrency(pgq: &PgQueuer) {
    let message = refusal(empty(pgq).register::<Plain>().queue("default", 0));

    assert!(message.contains("`default`"), "{message}");
}

async fn refuses_settings_out_of_range(pgq: &PgQueuer) {
    let wrong = [
        |it: &mut WorkerConfig| it.concurrency = 10_001,
        |it: &mut WorkerConfig| it.poll_interval = Duration::ZERO,
        |it: &mut WorkerConfig| it.lease = Duration::from_secs(1),
        |it: &mut WorkerConfig| it.lease = Duration::from_secs(3601),
        |it: &mut WorkerConfig| it.settle_batch = 0,
        |it: &mut WorkerConfig| it.settle_delay = Duration::from_secs(2),
        |it: &mut WorkerConfig| it.name = "x".repeat(201),
        |it: &mut WorkerConfig| it.name = "with\0nul".to_owned(),
    ];
    let configs = wrong.map(|change| {
        let mut config = WorkerConfig::default();
        change(&mut config);
        config
    });

    let built: Vec<pgqueuer::Result<Worker>> = configs
        .into_iter()
        .map(|config| empty(pgq).register::<Plain>().config(config).build())
        .collect();

    assert!(built.iter().all(Result::is_err), "{built:?}");
}

async fn shows_its_jobs(pgq: &PgQueuer) {
    let worker = empty(pgq).register::<Successor>().build().unwrap();

    let shown: Vec<(&str, u32)> = worker.jobs().map(|it| (it.kind, it.source.line)).collect();

    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].0, "successor");
    assert!(shown[0].1 > 1);
}
