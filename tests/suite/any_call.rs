//! `pgqueuer.enqueue(…)` with any arguments whatever: either there is one job more, which a worker
//! can read, or the call is refused and the queue is as it was.
//!
//! What is tried here runs in the server, where no fuzzer sees which way it goes; so the arguments
//! are made at random, by what they are made of. `cargo xtask fuzz enqueue` goes on for minutes.

use std::{
    cell::Cell,
    env,
    time::{Duration, Instant},
};

use pgqueuer::{
    Headers, JobRecord, MAX_NAME_LENGTH,
    store::{JobState, Store},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    backend::{self, Database},
    support::{claim, completed, open_session, settle},
};

/// How many calls are tried unless `PGQUEUER_FUZZ_MINUTES` says for how long: a few seconds.
const CASES: u32 = 300;

/// The arguments as text, which the server casts: to the types of the function, or not.
#[derive(Clone, Debug)]
struct Call {
    kind: Option<String>,
    args: Option<String>,
    priority: Option<String>,
    delay: Option<String>,
    run_at: Option<String>,
    headers: Option<String>,
}

const CALL: &str = "SELECT pgqueuer.enqueue(
    $1::text, $2::text::jsonb, $3::text::integer, $4::text::interval, $5::text::timestamptz, $6::text::jsonb
)";

/// What must stay as it was when a call is refused.
const QUEUE: &str = "SELECT concat_ws(' ',
    (SELECT count(*) FROM pgqueuer.jobs), (SELECT count(*) FROM pgqueuer.lanes),
    (SELECT count(*) FROM pgqueuer.kinds), (SELECT count(*) FROM pgqueuer.history),
    (SELECT count(*) FROM pgqueuer.sessions), (SELECT count(*) FROM pgqueuer.schedules),
    (SELECT count(*) FROM pgqueuer.minutes), (SELECT count(*) FROM pgqueuer.migrations))";

fn calls() -> impl Strategy<Value = Call> {
    let kind = prop_oneof![
        4 => "[a-z_]{1,12}".prop_map(Some),
        1 => any::<String>().prop_map(Some),
        1 => "\\PC{1,200}".prop_map(Some),
        // White space and control characters, of which some are not ASCII.
        1 => "[a-z]{1,3}[\\s\\p{Cc}][a-z]{0,3}".prop_map(Some),
        1 => Just(None),
    ];
    let number = prop_oneof![
        3 => (-40_000_i64..40_000).prop_map(|it| it.to_string()),
        1 => any::<i64>().prop_map(|it| it.to_string()),
    ];
    let units = prop::sample::select(vec!["s", "min", "h", "d", "months", "years", "centuries"]);
    let delay = prop_oneof![
        4 => (-100_000_i64..100_000, units.clone()).prop_map(|(n, unit)| format!("{n} {unit}")),
        1 => (any::<i32>(), units).prop_map(|(n, unit)| format!("{n} {unit}")),
        1 => "[-0-9a-zP:. ]{0,20}",
    ];
    let run_at = prop_oneof![
        4 => (0_i32..300_000, 1_u8..14, 0_u8..33, 0_u8..26)
            .prop_map(|(y, m, d, h)| format!("{y:04}-{m:02}-{d:02} {h:02}:00+00")),
        1 => prop::sample::select(vec!["now", "infinity", "-infinity", "epoch", "4713-01-01 BC"])
            .prop_map(str::to_owned),
        1 => "[-0-9a-zTZ:+. ]{0,30}",
    ];
    // Now and then, or no call would be right in everything.
    let seldom = |strategy: BoxedStrategy<String>| prop_oneof![2 => Just(None), 1 => strategy.prop_map(Some)];
    (
        kind,
        prop_oneof![3 => json().prop_map(Some), 1 => Just(None)],
        seldom(number.boxed()),
        seldom(delay.boxed()),
        seldom(run_at.boxed()),
        seldom(prop_oneof![headers(), json()].boxed()),
    )
        .prop_map(|(kind, args, priority, delay, run_at, headers)| Call {
            kind,
            args,
            priority,
            delay,
            run_at,
            headers,
        })
}

/// JSON, mostly objects, some of it broken.
fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|it| serde_json::Value::Object(it.into_iter().collect())),
        ]
    });
    let object = prop::collection::btree_map("[a-z]{1,8}", value.clone(), 0..5)
        .prop_map(|it| serde_json::Value::Object(it.into_iter().collect()).to_string());
    let deep =
        (1_usize..20_000).prop_map(|n| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n)));
    prop_oneof![
        8 => object,
        2 => value.prop_map(|it| it.to_string()),
        1 => "[\\[\\]{}:,\"0-9a-z\\\\ .-]{0,40}",
        1 => deep,
    ]
    .boxed()
}

fn headers() -> BoxedStrategy<String> {
    let headers = prop::collection::btree_map(any::<String>(), any::<String>(), 0..6);
    let large = (1_usize..100_000).prop_map(|n| format!("{{\"a\": \"{}\"}}", "x".repeat(n)));
    prop_oneof![
        4 => headers.prop_map(|it| serde_json::json!(it).to_string()),
        1 => large,
    ]
    .boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_one_job_more_or_is_refused() {
    backend::on_postgres(async |database| block_in_place(|| search(database))).await;
}

/// Outside of the runtime, as far as it knows: proptest is not asynchronous.
fn search(database: &Database) {
    let minutes = env::var("PGQUEUER_FUZZ_MINUTES").ok();
    let minutes: Option<u64> = minutes.map(|it| it.parse().expect("a number of minutes"));
    let until = Instant::now() + Duration::from_secs(minutes.unwrap_or_default() * 60);
    let (tried, accepted) = (Cell::new(0), Cell::new(0));
    loop {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        // The same calls each time in the suite, which is no place for surprises.
        let mut runner = match minutes {
            None => {
                TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
            }
            Some(_) => TestRunner::new(config),
        };
        let outcome = runner.run(&calls(), |call| {
            let is_accepted = Handle::current().block_on(try_out(database, &call))?;
            tried.set(tried.get() + 1);
            accepted.set(accepted.get() + u32::from(is_accepted));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
        if Instant::now() >= until {
            break;
        }
    }
    let (tried, accepted) = (tried.get(), accepted.get());
    let refused = tried - accepted;
    println!("{tried} calls: {accepted} enqueued, {refused} refused");
    assert!(
        accepted.min(refused) > tried / 20,
        "the calls are too much alike"
    );
}

/// Whether the call was accepted.
async fn try_out(database: &Database, call: &Call) -> Result<bool, TestCaseError> {
    // What a call before has left that failed: the search for a simpler one goes on.
    let clean = database.sql("DELETE FROM pgqueuer.jobs");
    sqlx::query(clean).execute(database.pool()).await.unwrap();
    let before = queue(database).await;
    let answer: sqlx::Result<i64> = sqlx::query_scalar(database.sql(CALL))
        .bind(&call.kind)
        .bind(&call.args)
        .bind(&call.priority)
        .bind(&call.delay)
        .bind(&call.run_at)
        .bind(&call.headers)
        .fetch_one(database.pool())
        .await;
    match answer {
        Ok(id) => read(database, call, id).await.map(|()| true),
        Err(error) => {
            let code = error.as_database_error().and_then(|it| it.code());
            let code = code.map(|it| it.into_owned()).unwrap_or_default();
            // A mistake in the data, or more than the server can take.
            let is_refusal = code.starts_with("22") || code.starts_with("54");
            prop_assert!(is_refusal, "{error}");
            prop_assert_eq!(queue(database).await, before);
            Ok(false)
        }
    }
}

async fn queue(database: &Database) -> String {
    let query = sqlx::query_scalar(database.sql(QUEUE));
    query.fetch_one(database.pool()).await.unwrap()
}

/// The function takes what the library would, and no more.
fn is_as_called(record: &JobRecord, call: &Call) -> Result<(), TestCaseError> {
    let kind = call.kind.as_deref().unwrap_or_default();
    prop_assert_eq!(&record.kind, kind);
    prop_assert!((1..=MAX_NAME_LENGTH).contains(&kind.chars().count()));
    let is_name = |it: char| !it.is_whitespace() && !it.is_control();
    prop_assert!(kind.chars().all(is_name), "{kind:?} is no name");

    let priority = call.priority.as_deref().unwrap_or("0").trim().parse().ok();
    prop_assert_eq!(Some(record.priority), priority);

    // Of equal names, the last one counts, in JSON values only.
    let failed = |error: serde_json::Error| {
        TestCaseError::fail(format!("these headers are accepted: {error}"))
    };
    let headers = call.headers.as_deref().map(serde_json::from_str);
    let headers: Option<serde_json::Value> = headers.transpose().map_err(failed)?;
    let headers = headers.map(serde_json::from_value::<Headers>);
    let headers = headers.transpose().map_err(failed)?.unwrap_or_default();
    prop_assert_eq!(&record.headers, &headers);
    Ok(())
}

/// What was enqueued can be looked up, and a worker can claim and end it.
async fn read(database: &Database, call: &Call, id: i64) -> Result<(), TestCaseError> {
    let store: &dyn Store = database.store();
    let kind = call.kind.as_deref().unwrap_or_default();
    let record = store.get_job(id.into()).await.unwrap();
    let record = record.ok_or_else(|| TestCaseError::fail("the job is not there"))?;
    is_as_called(&record, call)?;
    if record.state == JobState::Scheduled {
        let now = database.sql("UPDATE pgqueuer.jobs SET run_at = now() - interval '1 s'");
        sqlx::query(now).execute(database.pool()).await.unwrap();
        store.promote(10).await.unwrap();
    }
    let session = open_session(store).await;
    let claimed = claim(store, session, &[kind], 10).await;
    let ids: Vec<i64> = claimed.iter().map(|it| it.key.id.as_i64()).collect();
    prop_assert_eq!(ids, [id]);
    let payload = claimed[0].payload.decode::<serde_json::Value>();
    // The server nests deeper than a worker reads, which holds such a job.
    let too_deep = |it: &pgqueuer::Error| it.to_string().contains("recursion limit");
    prop_assert!(
        payload.as_ref().map_or_else(too_deep, |it| it.is_object()),
        "{payload:?}"
    );
    let refused = settle(store, session, &[completed(&claimed[0])]).await;
    prop_assert_eq!(refused, []);
    let forget = database.sql("TRUNCATE pgqueuer.history, pgqueuer.sessions, pgqueuer.reports");
    sqlx::query(forget).execute(database.pool()).await.unwrap();
    Ok(())
}
