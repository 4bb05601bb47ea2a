//! What `#[pgqueuer::test]` calls: a runtime, a queue, and what becomes of it in the end.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use super::{TestQueue, server};

/// What a test returns: whether it has passed.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "must be `()` or `Result<(), E>`"
)]
pub trait TestResult {
    /// Whether it has.
    fn has_passed(&self) -> bool;
}

impl TestResult for () {
    fn has_passed(&self) -> bool {
        true
    }
}

impl<T, E> TestResult for Result<T, E> {
    fn has_passed(&self) -> bool {
        self.is_ok()
    }
}

/// Runs a test on a queue in memory, with a paused clock that shows this time (RFC 3339).
///
/// # Panics
///
/// If the test does, if the time is none, and if the machine has no resources for a runtime.
pub fn in_memory<F>(at: Option<&str>, test: impl FnOnce(TestQueue) -> F) -> F::Output
where
    F: Future<Output: TestResult>,
{
    let runtime = runtime(Builder::new_current_thread().start_paused(true));
    runtime.block_on(async {
        let queue = match at.map(str::parse) {
            None => TestQueue::in_memory(),
            Some(Ok(time)) => TestQueue::in_memory_at(time),
            Some(Err(error)) => panic!("`at` is not a time: {error}"),
        };
        test(queue).await
    })
}

/// Runs a test in a database of its own. That is dropped if the test passes, and kept if not.
///
/// # Panics
///
/// If the test does, or if there is no PostgreSQL.
pub fn on_postgres<F>(test: impl FnOnce(TestQueue) -> F) -> F::Output
where
    F: Future<Output: TestResult>,
{
    let runtime = runtime(&mut Builder::new_current_thread());
    runtime.block_on(async {
        let database = match server::Database::create().await {
            Ok(database) => database,
            Err(error) => panic!("this test needs PostgreSQL: {error:?}"),
        };
        let queue = TestQueue::new(database.queue().clone());
        // If the test panics, `database` is dropped, and says where it is.
        let result = test(queue).await;
        if result.has_passed()
            && let Err(error) = database.remove().await
        {
            panic!("the test has passed, and its database is not gone: {error:?}");
        }
        result
    })
}

fn runtime(builder: &mut Builder) -> Runtime {
    match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("failed to build a Tokio runtime: {error}"),
    }
}
