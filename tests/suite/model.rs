//! The two stores as models of each other: random sequences of operations run on both at once,
//! and after each step the replies are compared.
//!
//! What they find is a fault of one of the stores, or a rule of the contract that nobody wrote
//! down: mend it, with a case in [`conformance`](crate::conformance). [`step`] says what is
//! generated, [`pair`] keeps the two in step, and [`view`] leaves out of a reply what may differ.
//!
//! ```text
//! PROPTEST_CASES=10000 cargo test -p pgqueuer-tests --all-features --test suite model::
//! ```
//!
//! A failure prints the shortest sequence that fails, and writes its seed to
//! `tests/proptest-regressions/`; each run begins with the seeds that are there.

mod pair;
mod side;
mod step;
mod view;

use std::env;

use pgqueuer::PgQueuer;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use sqlx::postgres::PgPoolOptions;
use tokio::{runtime::Handle, task::block_in_place};

use crate::backend::{self, Database};
use pair::Pair;
use step::Step;

/// How many sequences run unless `PROPTEST_CASES` says: a few seconds.
const CASES: u32 = 25;

/// The longest search for a shorter sequence, in milliseconds. What it has found by then is good
/// enough to begin with.
const LONGEST_SEARCH: u32 = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_reply_alike() {
    backend::on_postgres(async |database| block_in_place(|| search(database))).await;
}

/// Outside of the runtime, as far as it knows: proptest is not asynchronous.
fn search(database: &Database) {
    let mut config = Config {
        max_shrink_time: LONGEST_SEARCH,
        max_shrink_iters: u32::MAX,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/proptest-regressions/model.txt"
        )))),
        source_file: Some(file!()),
        ..Config::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&step::sequences(), |steps| {
        Handle::current().block_on(run(database, &steps))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Runs a sequence on two empty stores.
async fn run(database: &Database, steps: &[Step]) -> Result<(), TestCaseError> {
    let postgres = emptied(database).await;
    let memory = PgQueuer::in_memory();
    let mut pair = Pair::new(&**memory.store(), &**postgres.store());
    let outcome = pair.run(steps).await;
    postgres.close().await;
    outcome.map_err(TestCaseError::fail)
}

/// The queue of the database, emptied, as a process sees it that has just started.
async fn emptied(database: &Database) -> PgQueuer {
    let empty = "TRUNCATE pgqueuer.jobs, pgqueuer.history, pgqueuer.sessions, pgqueuer.lanes, \
                 pgqueuer.kinds, pgqueuer.schedules, pgqueuer.minutes, \
                 pgqueuer.limits, pgqueuer.rates, pgqueuer.unique_keys, \
                 pgqueuer.watchers, pgqueuer.progress, \
                 pgqueuer.counts, pgqueuer.totals, pgqueuer.reports";
    let empty = sqlx::raw_sql(database.sql(empty));
    empty.execute(database.pool()).await.expect("empty tables");
    let pool = PgPoolOptions::new().max_connections(2);
    let pool = pool.connect_lazy_with(database.options.clone());
    PgQueuer::with_schema(pool, database.schema.clone())
}
