//! [`TestQueue`]: a queue, and what a test says about how its jobs run.

use std::{
    collections::BTreeSet,
    fmt,
    ops::Deref,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use futures_util::Stream;

use super::{enqueued, run::Run};
use crate::{
    enqueue::{Chunks, Prepared, StreamTarget, Target},
    error::Result,
    handle::PgQueuer,
    job::{Job, JobId},
    job_handle::JobHandle,
    registry::JobDescriptor,
    resources::{Resources, State},
    store::JobToEnqueue,
    unique::Enqueued,
};

/// The queue of one test, empty at its beginning. [`#[pgqueuer::test]`](macro@crate::test) makes it.
///
/// It is a [`PgQueuer`] (by `Deref`), and `&queue` is what jobs are enqueued to. Nothing runs by
/// itself: [`drain`](Self::drain) and [`advance`](Self::advance) run jobs, one at a time unless
/// [`concurrency`](Self::concurrency) says otherwise, by the code that a worker has.
///
/// # Which jobs it runs
///
/// All that are linked into the test's binary, but for those that cannot run in this test: they take a
/// `State<T>` that it has not given, or a `Tx` in memory, or share their kind with another job. If
/// such a job is in the queue and due, `drain` fails, and says what is missing.
/// [`leave`](Self::leave) and [`only_registered`](Self::only_registered) say that jobs are not to run.
///
/// Schedules in the code tick if the test says so, with [`schedule`](Self::schedule): or each test that
/// moves the clock on would run all those of the program.
///
/// # What differs from production
///
/// Waits before a retry have no jitter, so that a test knows when it comes. In memory the clock is
/// Tokio's, which is paused in the test: it stands still but for `advance` and for what sleeps. A
/// handler that sleeps for a minute, or has a timeout and waits for ever, takes no time, and the
/// clock shows a minute more.
pub struct TestQueue {
    pgq: PgQueuer,
    setup: Mutex<Setup>,
}

/// What a test says about how its jobs run.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) resources: Resources,
    pub(super) registered: Vec<JobDescriptor>,
    pub(super) only_registered: bool,
    pub(super) left: BTreeSet<&'static str>,
    pub(super) scheduled: BTreeSet<&'static str>,
    pub(super) all_scheduled: bool,
    pub(super) concurrency: usize,
}

impl TestQueue {
    /// A queue in memory, for a test that is not made by [`#[pgqueuer::test]`](macro@crate::test): under
    /// `#[tokio::test(start_paused = true)]`, say. Its clock shows the time of this machine, and goes on
    /// with Tokio's.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(PgQueuer::in_memory())
    }

    /// The same, with a clock that shows this time now.
    #[must_use]
    pub fn in_memory_at(time: DateTime<Utc>) -> Self {
        Self::new(PgQueuer::in_memory_at(time))
    }

    pub(super) fn new(pgq: PgQueuer) -> Self {
        let setup = Setup {
            resources: crate::worker::resources_of(&pgq),
            registered: Vec::new(),
            only_registered: false,
            left: BTreeSet::new(),
            scheduled: BTreeSet::new(),
            all_scheduled: false,
            concurrency: 1,
        };
        Self {
            pgq,
            setup: Mutex::new(setup),
        }
    }

    /// Gives a value to all handlers, which take it as `State<T>`, and returns what they get: a test
    /// keeps that, to look at a fake afterwards. One value for each type; the last one counts.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use pgqueuer::testing::TestQueue;
    /// # let queue = TestQueue::in_memory();
    /// #[derive(Default)]
    /// struct FakeMailer(std::sync::Mutex<Vec<String>>);
    ///
    /// let mailer = queue.state(FakeMailer::default());
    /// // … run jobs that take `mailer: State<FakeMailer>` …
    /// assert!(mailer.0.lock().unwrap().is_empty());
    /// # });
    /// ```
    pub fn state<T: Send + Sync + 'static>(&self, value: T) -> State<T> {
        self.lock().resources.share(value)
    }

    /// Runs jobs of type `J`, too. Not needed for those made by `#[job]`, unless two of them have the
    /// same kind in the test's binary, or after [`only_registered`](Self::only_registered).
    pub fn register<J: Job>(&self) -> &Self {
        self.lock().registered.push(JobDescriptor::of::<J>());
        self
    }

    /// Lets the schedule of `J` tick in this test. Its slots count from the first `drain` or `advance`
    /// on. (Those that were made at run time tick anyway.)
    ///
    /// `drain` and `advance` fail if `J` has no schedule in the code, or cannot run in this test.
    pub fn schedule<J: Job>(&self) -> &Self {
        self.lock().scheduled.insert(J::KIND);
        self.register::<J>()
    }

    /// Lets the schedules of all jobs tick that can run in this test.
    pub fn all_schedules(&self) -> &Self {
        self.lock().all_scheduled = true;
        self
    }

    /// Runs only the jobs that were given to [`register`](Self::register) and
    /// [`schedule`](Self::schedule), where others would be in the way.
    pub fn only_registered(&self) -> &Self {
        self.lock().only_registered = true;
        self
    }

    /// Lets jobs of type `J` stay in the queue, and does not tick for their schedule: where a test looks
    /// at what was enqueued, and does not mean to run it. Counts more than the other calls.
    pub fn leave<J: Job>(&self) -> &Self {
        self.lock().left.insert(J::KIND);
        self
    }

    /// Runs this many jobs at a time. Default: 1, in the order in which they were enqueued (higher
    /// priorities first), so that a test finds the same each time. From 1 to 10,000.
    pub fn concurrency(&self, concurrency: usize) -> &Self {
        self.lock().concurrency = concurrency;
        self
    }

    /// The unfinished jobs of type `J`, decoded, in the order in which they were enqueued: those that
    /// wait, for their time too, run, or are held. Of its aliases, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if the arguments of one do not decode;
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) or
    /// [`ErrorKind::Schema`](crate::ErrorKind::Schema).
    pub async fn enqueued<J: Job>(&self) -> Result<Vec<J>> {
        let found = enqueued::list::<J>(&self.pgq).await?;
        Ok(found.into_iter().map(|(_, job)| job).collect())
    }

    /// Runs one job by itself, as [`testing::run`](super::run) does, with what was given to
    /// [`state`](Self::state), and with this queue, to which the handler can enqueue. The job itself is
    /// not in the queue.
    pub fn run<J: Job>(&self, job: J) -> Run<J> {
        Run::new(job, self.setup().resources)
    }

    pub(super) fn setup(&self) -> Setup {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Setup> {
        // Nothing here panics half-way through a change.
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for TestQueue {
    type Target = PgQueuer;

    fn deref(&self) -> &PgQueuer {
        &self.pgq
    }
}

impl fmt::Debug for TestQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestQueue")
            .field("pgq", &self.pgq)
            .finish_non_exhaustive()
    }
}

impl Target for &TestQueue {
    type Handle<J: Job> = JobHandle<J>;
    type Maker = PgQueuer;

    fn maker(&self) -> PgQueuer {
        self.pgq.clone()
    }

    fn handle<J: Job>(maker: &PgQueuer, id: JobId) -> JobHandle<J> {
        JobHandle::of(maker, id)
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        (&self.pgq).insert(jobs).await
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        (&self.pgq).insert_unique(jobs).await
    }
}

impl StreamTarget for &TestQueue {
    async fn insert_all<J, S>(self, chunks: Chunks<S>) -> Result<u64>
    where
        J: Job,
        S: Stream<Item = J> + Send,
    {
        (&self.pgq).insert_all(chunks).await
    }
}
