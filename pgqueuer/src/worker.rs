//! The public face of the runtime: building a worker, and running it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    sync::Arc,
    time::Duration,
};

use crate::{
    config::WorkerConfig,
    error::{Error, Result},
    executor::Executor,
    handle::PgQueuer,
    hook::Hook,
    job::Job,
    limits::{Limits, Scope},
    registry::{JobDescriptor, Registry},
    resources::Resources,
    runtime::{self, Mode, Report, Stop},
};

/// Configures a [`Worker`]. Made by [`PgQueuer::worker`].
///
/// Setters only record; [`build`](Self::build) checks everything together, so the order of
/// calls does not matter.
#[must_use = "a builder does nothing until `build` is called"]
pub struct WorkerBuilder {
    pgq: PgQueuer,
    resources: Resources,
    registered: Vec<JobDescriptor>,
    linked: bool,
    queue_concurrency: BTreeMap<String, usize>,
    queue_limits: BTreeMap<String, Limits>,
    only_queues: BTreeSet<String>,
    executors: Vec<Arc<dyn Executor>>,
    config: WorkerConfig,
}

impl WorkerBuilder {
    pub(crate) fn new(pgq: PgQueuer) -> Self {
        Self {
            resources: resources_of(&pgq),
            pgq,
            registered: Vec::new(),
            linked: true,
            queue_concurrency: BTreeMap::new(),
            queue_limits: BTreeMap::new(),
            only_queues: BTreeSet::new(),
            executors: Vec::new(),
            config: WorkerConfig::default(),
        }
    }

    /// With these jobs and no others, and these resources besides its own.
    #[cfg(feature = "testing")]
    pub(crate) fn exactly(mut self, jobs: Vec<JobDescriptor>, resources: &Resources) -> Self {
        self.linked = false;
        self.registered = jobs;
        self.resources.extend(resources);
        self
    }

    /// Shares a value with all handlers, which take it as `State<T>`. One value for each
    /// type; the last one counts.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.insert(value);
        self
    }

    /// Runs jobs of type `J`. Not needed for jobs made by `#[job]`, which register
    /// themselves.
    pub fn register<J: Job>(mut self) -> Self {
        self.registered.push(JobDescriptor::of::<J>());
        self
    }

    /// Runs only the jobs that were given to [`register`](Self::register).
    pub fn only_registered(mut self) -> Self {
        self.linked = false;
        self
    }

    /// Runs at most `concurrency` jobs of this queue at a time in this worker, within the
    /// concurrency of the worker. At least 1.
    pub fn queue(mut self, queue: impl Into<String>, concurrency: usize) -> Self {
        self.queue_concurrency.insert(queue.into(), concurrency);
        self
    }

    /// Limits the jobs of this queue on all workers together, whatever worker is built with it; the
    /// last one to start counts. A queue has no keys. It can be changed at run time: see
    /// [`PgQueuer::set_limits`].
    pub fn queue_limits(mut self, queue: impl Into<String>, limits: Limits) -> Self {
        self.queue_limits.insert(queue.into(), limits);
        self
    }

    /// Runs only the jobs of these queues.
    pub fn only_queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.only_queues.extend(queues.into_iter().map(Q::into));
        self
    }

    /// Puts something around the handlers of all kinds. The first one is outermost; that of a kind
    /// (`#[job(executor = …)]`) is innermost. See [`Executor`].
    pub fn executor(mut self, executor: impl Executor) -> Self {
        self.executors.push(Arc::new(executor));
        self
    }

    /// Has a hook told of what this worker does, and of what its handlers enqueue to their
    /// `State<PgQueuer>`; after the [hooks of the queue](PgQueuer::with_hook). See [`Hook`].
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.pgq = self.pgq.with_hook(hook);
        self.resources.insert(self.pgq.clone());
        self
    }

    /// Runs at most this many jobs at a time. Default: 100. From 1 to 10,000.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.config.concurrency = concurrency;
        self
    }

    /// How long the jobs of this worker stay its own after its last sign of life. Default:
    /// 15 s. From 3 s to 1 h.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// Changes settings. See [`WorkerConfig`].
    pub fn configure(mut self, change: impl FnOnce(&mut WorkerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Replaces all settings. See [`WorkerConfig`].
    pub fn config(mut self, config: WorkerConfig) -> Self {
        self.config = config;
        self
    }

    /// Checks everything and returns a worker that is ready to run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a setting is out of range; if no job
    /// is registered, or two share a kind (the message names both places); if a queue does
    /// not exist; if a handler or an executor needs a `State<T>` that was not given (the message
    /// lists all); if a strategy for retries finds fault with itself.
    pub fn build(self) -> Result<Worker> {
        self.config.validate()?;
        let linked = Registry::linked().filter(|_| self.linked);
        // A job that registers itself may be registered by hand, too.
        let mut jobs: Vec<JobDescriptor> = Vec::new();
        for job in self.registered.into_iter().chain(linked) {
            if !jobs.iter().any(|it| it.is_same(&job)) {
                jobs.push(job);
            }
        }
        let mut registry = Registry::new(jobs)?;
        check_queues(
            &registry,
            self.queue_concurrency
                .keys()
                .chain(self.queue_limits.keys())
                .chain(&self.only_queues),
        )?;
        for (queue, limits) in &self.queue_limits {
            let scope = Scope::Queue(queue.clone());
            limits.validate_for(&scope).map_err(Error::config)?;
        }
        if let Some((queue, _)) = self
            .queue_concurrency
            .iter()
            .find(|(_, bound)| **bound == 0)
        {
            return Err(Error::config(format!(
                "the concurrency of queue `{queue}` is 0, at least 1 is needed"
            )));
        }
        if !self.only_queues.is_empty() {
            registry.retain_queues(&self.only_queues);
        }
        registry.equip(&self.executors)?;
        registry.check_resources(&self.resources)?;
        if self.pgq.pool().is_none() {
            registry.refuse_transactions()?;
        }
        // A rule that does not parse should stop the start, not the first tick.
        for job in registry.jobs() {
            if let Some(Err(problem)) = job.schedule().map(|it| it.parse()) {
                let refused = format!("the schedule of job `{}` is refused", job.kind);
                return Err(Error::config(refused).because(problem));
            }
        }
        Ok(Worker {
            pgq: self.pgq,
            registry: Arc::new(registry),
            resources: Arc::new(self.resources),
            queue_concurrency: self.queue_concurrency,
            queue_limits: self.queue_limits,
            config: self.config,
        })
    }
}

/// What handlers can take without that anybody gives it: the queue, and its pool.
pub(crate) fn resources_of(pgq: &PgQueuer) -> Resources {
    let mut resources = Resources::default();
    if let Some(pool) = pgq.pool() {
        resources.insert(pool.clone());
    }
    resources.insert(pgq.clone());
    resources
}

fn check_queues<'a>(registry: &Registry, named: impl Iterator<Item = &'a String>) -> Result<()> {
    let known: BTreeSet<&str> = registry.jobs().map(|job| job.options.queue).collect();
    let is_unknown = |queue: &&String| !known.contains(queue.as_str());
    match named.into_iter().find(is_unknown) {
        None => Ok(()),
        Some(queue) => {
            let known: Vec<&str> = known.into_iter().collect();
            Err(Error::config(format!(
                "no registered job belongs to queue `{queue}`; the queues are {}",
                known.join(", ")
            )))
        }
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Runs jobs. Made by [`WorkerBuilder::build`].
#[derive(Debug)]
pub struct Worker {
    pub(crate) pgq: PgQueuer,
    pub(crate) registry: Arc<Registry>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) queue_concurrency: BTreeMap<String, usize>,
    pub(crate) queue_limits: BTreeMap<String, Limits>,
    pub(crate) config: WorkerConfig,
}

impl Worker {
    /// Runs until SIGINT or SIGTERM (on Windows Ctrl-C, Ctrl-Break, close or shutdown).
    ///
    /// Then claims nothing more, lets running jobs finish within
    /// [`shutdown_grace`](WorkerConfig::shutdown_grace), cancels the rest and gives them
    /// back, which costs them no attempt. A second signal does not wait.
    ///
    /// # Errors
    ///
    /// Only at the start: [`ErrorKind::Schema`](crate::ErrorKind::Schema) if the schema does
    /// not fit, [`ErrorKind::Database`](crate::ErrorKind::Database) if the database does not
    /// answer. Once it runs, a worker outlasts outages of the database.
    pub async fn run(self) -> Result<Report> {
        let stop = Stop::on_signals()?;
        runtime::run(self, Mode::Continuous, stop).await
    }

    /// Runs until `stop` completes, then stops as [`run`](Self::run) does.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped, running jobs are dropped with it and become
    /// available when the lease has run out. Let `stop` complete instead.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Report> {
        runtime::run(self, Mode::Continuous, Stop::when(stop)).await
    }

    /// Runs what is available, and what becomes available meanwhile, and returns when nothing
    /// is. Jobs that are not due yet (retries, too) stay in the queue. The slots of schedules that
    /// are due when it begins are among what it runs.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn drain(self) -> Result<Report> {
        runtime::run(self, Mode::Drain, Stop::never()).await
    }

    /// The jobs that this worker runs, by kind.
    pub fn jobs(&self) -> impl Iterator<Item = &JobDescriptor> {
        self.registry.jobs()
    }
}
