//! Which kinds a worker knows, and how it runs them.

mod equipment;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    context::Context,
    error::{Chain, Error, Result},
    executor::Executor,
    job::{Argument, HandlerFuture, Job, Source},
    limits::{Limits, Scope},
    options::{JobOptions, validate_name},
    outcome::{Cause, Outcome},
    payload::Payload,
    resources::{Requirement, Resources},
    retry::RetryStrategy,
    schedule::Schedule,
    store::KindRecord,
    unique::UniqueFor,
};
use equipment::Equipment;

/// Everything about a kind, without its type: what `#[job]` registers.
///
/// Not generic, so that one list can hold all of them.
#[derive(Clone, Copy, Debug)]
pub struct JobDescriptor {
    /// See [`Job::KIND`].
    pub kind: &'static str,
    /// See [`Job::ALIASES`].
    pub aliases: &'static [&'static str],
    /// See [`Job::OPTIONS`].
    pub options: JobOptions,
    /// See [`Job::SOURCE`].
    pub source: Source,
    /// See [`Job::ARGUMENTS`].
    pub arguments: &'static [Argument],
    /// See [`Job::UNIQUE_BY`].
    pub unique_by: &'static [&'static str],
    /// See [`Job::LIMIT_BY`].
    pub limit_by: &'static [&'static str],
    schedule: fn() -> Option<Schedule>,
    requirements: fn() -> Vec<Requirement>,
    executor: fn() -> Option<Arc<dyn Executor>>,
    retry_strategy: fn() -> Option<Arc<dyn RetryStrategy>>,
    check: fn(&Payload) -> Result<()>,
    to_json: fn(&Payload) -> Result<serde_json::Value>,
    limit_key: fn(&Payload) -> Result<Option<String>>,
    unique_key: fn(&Payload) -> Result<Option<String>>,
    start: fn(&Payload, Context) -> Result<HandlerFuture, Outcome>,
}

inventory::collect!(JobDescriptor);

impl JobDescriptor {
    /// The descriptor of a job type.
    #[must_use]
    pub const fn of<J: Job>() -> Self {
        Self {
            kind: J::KIND,
            aliases: J::ALIASES,
            options: J::OPTIONS,
            source: J::SOURCE,
            arguments: J::ARGUMENTS,
            limit_by: J::LIMIT_BY,
            unique_by: J::UNIQUE_BY,
            schedule: || J::SCHEDULE,
            requirements: J::requirements,
            executor: J::executor,
            retry_strategy: J::retry_strategy,
            check: |payload| payload.decode::<J>().map(drop),
            to_json: |payload| {
                serde_json::to_value(payload.decode::<J>()?).map_err(|error| {
                    Error::payload("the arguments cannot be written as JSON").because(error)
                })
            },
            limit_key: |payload| payload.decode::<J>()?.limit_key(),
            unique_key: |payload| payload.decode::<J>()?.unique_key(),
            start: |payload, context| {
                let job = payload.decode::<J>();
                let job = job.map_err(|it| Outcome::undecodable(Chain(&it).to_string()))?;
                job.run(context)
                    .map_err(|it| Outcome::Failed(Cause::of(&it)))
            },
        }
    }

    /// Checks that a payload decodes as this kind of job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload), naming the argument.
    pub fn check(&self, payload: &Payload) -> Result<()> {
        (self.check)(payload)
    }

    /// The arguments in a payload, as JSON: for people to read.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and if JSON cannot represent them.
    pub fn to_json(&self, payload: &Payload) -> Result<serde_json::Value> {
        (self.to_json)(payload)
    }

    /// The key of a payload for limits. See [`Job::limit_key`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and if the key is too long.
    pub fn limit_key(&self, payload: &Payload) -> Result<Option<String>> {
        (self.limit_key)(payload)
    }

    /// The key of a payload, if its kind is unique. See [`Job::unique_key`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and if the key is too long.
    pub fn unique_key(&self, payload: &Payload) -> Result<Option<String>> {
        (self.unique_key)(payload)
    }

    /// When its jobs are enqueued by themselves. See [`Job::SCHEDULE`].
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        (self.schedule)()
    }

    /// Whether both describe the same type.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.kind, self.source) == (other.kind, other.source) && self.source != Source::UNKNOWN
    }

    /// Starts the handler; or says how the attempt ends, if it cannot be started.
    pub(crate) fn start(
        &self,
        payload: &Payload,
        context: Context,
    ) -> Result<HandlerFuture, Outcome> {
        (self.start)(payload, context)
    }

    /// The shared resources that its handler needs and that are not there.
    pub(crate) fn missing(&self, resources: &Resources) -> impl Iterator<Item = Requirement> {
        let needed = (self.requirements)().into_iter();
        needed.filter(|it| *it != Requirement::of_transaction() && !resources.contains(it))
    }

    /// The executor of its own, made anew.
    #[cfg(feature = "testing")]
    pub(crate) fn own_executor(&self) -> Option<Arc<dyn Executor>> {
        (self.executor)()
    }

    /// The same as [`missing`](Self::missing), with what its own executor needs.
    #[cfg(feature = "testing")]
    pub(crate) fn missing_in_all(&self, resources: &Resources) -> Vec<Requirement> {
        let of_executor = self.own_executor().map(|it| it.requirements());
        let of_executor = of_executor.into_iter().flatten();
        self.missing(resources)
            .chain(of_executor.filter(|it| !resources.contains(it)))
            .collect()
    }

    /// Whether its handler takes a transaction.
    pub(crate) fn takes_transaction(&self) -> bool {
        (self.requirements)().contains(&Requirement::of_transaction())
    }

    /// The same, enqueued by nobody but those who call.
    #[cfg(feature = "testing")]
    pub(crate) fn without_schedule(self) -> Self {
        Self {
            schedule: || None,
            ..self
        }
    }

    /// The kind and its aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.kind).chain(self.aliases.iter().copied())
    }
}

/// The kinds of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    by_name: BTreeMap<&'static str, JobDescriptor>,
    /// The names of those whose handlers take a transaction.
    transactional: BTreeSet<&'static str>,
    equipment: Equipment,
}

impl Registry {
    /// Checks the jobs together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is none, if two share
    /// a kind or an alias, or if an option is out of range.
    pub(crate) fn new(jobs: impl IntoIterator<Item = JobDescriptor>) -> Result<Self> {
        let mut by_name: BTreeMap<&'static str, JobDescriptor> = BTreeMap::new();
        let mut transactional = BTreeSet::new();
        for job in jobs {
            job.options.validate(job.kind)?;
            if job.options.limits.is_keyed() && job.limit_by.is_empty() {
                return Err(Error::config(format!(
                    "job kind `{}`: a limit for each key needs arguments to go by, in `LIMIT_BY`",
                    job.kind
                )));
            }
            if job.takes_transaction() {
                transactional.extend(job.names());
            }
            for name in job.names() {
                validate_name("kind", name)?;
                if let Some(other) = by_name.insert(name, job) {
                    return Err(Error::config(format!(
                        "two jobs answer to the kind `{name}`: one at {}, the other at {}; \
                         give one of them another `name`",
                        other.source, job.source
                    )));
                }
            }
        }
        if by_name.is_empty() {
            return Err(Error::config(
                "no job is registered; if the jobs live in another crate, the linker left it \
                 out because nothing names it: add `use my_jobs as _;` to your `main.rs`",
            ));
        }
        Ok(Self {
            by_name,
            transactional,
            equipment: Equipment::default(),
        })
    }

    /// Every job that the linker has put into this program.
    pub(crate) fn linked() -> impl Iterator<Item = JobDescriptor> {
        inventory::iter::<JobDescriptor>().copied()
    }

    pub(crate) fn get(&self, kind: &str) -> Option<&JobDescriptor> {
        self.by_name.get(kind)
    }

    /// Whether the handler of a kind takes a transaction.
    pub(crate) fn is_transactional(&self, kind: &str) -> bool {
        self.transactional.contains(kind)
    }

    /// Makes the executors and the strategies of the kinds; `of_worker` are around all of them, the
    /// first one outermost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a strategy finds fault with itself.
    pub(crate) fn equip(&mut self, of_worker: &[Arc<dyn Executor>]) -> Result<()> {
        self.equipment = Equipment::make(self.jobs(), of_worker)?;
        Ok(())
    }

    /// What is around the handler of a kind, the outermost first.
    pub(crate) fn executors(&self, kind: &str) -> Option<&Arc<[Arc<dyn Executor>]>> {
        self.equipment.executors(kind)
    }

    /// What decides on retries of a kind, if that is not its backoff.
    pub(crate) fn retry_strategy(&self, kind: &str) -> Option<&dyn RetryStrategy> {
        self.equipment.strategy(kind)
    }

    /// The jobs, each once, by kind.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &JobDescriptor> {
        self.by_name
            .iter()
            .filter(|(name, job)| **name == job.kind)
            .map(|(_, job)| job)
    }

    /// All the names that are answered to, aliases too, with their jobs.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, &JobDescriptor)> {
        self.by_name.iter().map(|(name, job)| (*name, job))
    }

    /// What tools without the types should know: one record for each name.
    pub(crate) fn records(&self) -> Vec<KindRecord> {
        let texts = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let record = |(name, job): (&'static str, &JobDescriptor)| KindRecord {
            kind: name.to_owned(),
            queue: job.options.queue.to_owned(),
            priority: job.options.priority,
            max_attempts: job.options.max_attempts,
            on_failure: job.options.on_failure.as_str().to_owned(),
            retain_seconds: i64::try_from(job.options.retain.as_secs()).unwrap_or(i64::MAX),
            arguments: serde_json::json!(job.arguments),
            source: job.source.to_string(),
            job: job.kind.to_owned(),
            limit_by: texts(job.limit_by),
            unique_by: job.options.unique.map(|_| texts(job.unique_by)),
            unique_millis: match job.options.unique {
                Some(UniqueFor::Window(window)) => {
                    Some(i64::try_from(window.as_millis()).unwrap_or(i64::MAX))
                }
                Some(UniqueFor::Unfinished) | None => None,
            },
        };
        self.names().map(record).collect()
    }

    /// The limits that the code has, those that say nothing too: others may have said something.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (Scope, Limits)> {
        self.jobs()
            .map(|job| (Scope::Kind(job.kind.to_owned()), job.options.limits))
    }

    /// Keeps the kinds of some queues only.
    pub(crate) fn retain_queues(&mut self, keep: &BTreeSet<String>) {
        self.by_name
            .retain(|_, job| keep.contains(job.options.queue));
    }

    /// Refuses handlers that take a transaction, where there are none.
    pub(crate) fn refuse_transactions(&self) -> Result<()> {
        match self.transactional.first() {
            None => Ok(()),
            Some(kind) => Err(Error::config(format!(
                "job `{kind}` takes a `Tx`, and a queue in memory has no transactions; run it on \
                 PostgreSQL, or leave it out with `.only_registered()`"
            ))),
        }
    }

    /// Refuses a worker that lacks a resource, listing all that are missing.
    pub(crate) fn check_resources(&self, resources: &Resources) -> Result<()> {
        let mut missing: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let mut check = |requirement: &Requirement, owner: &dyn Fn() -> String| {
            if *requirement != Requirement::of_transaction() && !resources.contains(requirement) {
                let owners = missing.entry(requirement.type_name()).or_default();
                owners.push(owner());
            }
        };
        for job in self.jobs() {
            for requirement in job.missing(resources) {
                check(&requirement, &|| format!("`{}` ({})", job.kind, job.source));
            }
        }
        for (requirement, owner) in self.equipment.requirements() {
            check(requirement, &|| owner.clone());
        }
        if missing.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = missing
            .into_iter()
            .map(|(name, jobs)| format!("`State<{name}>` for {}", jobs.join(", ")))
            .collect();
        Err(Error::config(format!(
            "missing: {}; give each to the worker with `.state(…)`",
            list.join("; ")
        )))
    }
}
