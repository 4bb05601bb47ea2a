//! What the expressions in `#[job]` make for a worker: executors, and strategies for retries.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::JobDescriptor;
use crate::{
    error::{Error, Result},
    executor::Executor,
    resources::Requirement,
    retry::RetryStrategy,
};

/// What some kinds have, by each of their names. Those that have nothing are not in the maps.
#[derive(Clone, Default)]
pub(super) struct Equipment {
    executors: BTreeMap<&'static str, Arc<[Arc<dyn Executor>]>>,
    strategies: BTreeMap<&'static str, Arc<dyn RetryStrategy>>,
    /// What executors cannot do without, and whose they are.
    requirements: Vec<(Requirement, String)>,
}

impl Equipment {
    /// Makes what the kinds ask for, within the executors of the worker.
    pub(super) fn make<'a>(
        jobs: impl Iterator<Item = &'a JobDescriptor>,
        of_worker: &[Arc<dyn Executor>],
    ) -> Result<Self> {
        let mut this = Self::default();
        for executor in of_worker {
            this.require(&**executor, "an executor of the worker");
        }
        for job in jobs {
            let mut executors = of_worker.to_vec();
            if let Some(own) = (job.executor)() {
                let owner = format!("the executor of `{}` ({})", job.kind, job.source);
                this.require(&*own, &owner);
                executors.push(own);
            }
            if !executors.is_empty() {
                let executors: Arc<[_]> = executors.into();
                let of_names = job.names().map(|it| (it, Arc::clone(&executors)));
                this.executors.extend(of_names);
            }
            if let Some(strategy) = (job.retry_strategy)() {
                strategy.validate().map_err(|problem| {
                    Error::config(format!("job kind `{}`: {problem}", job.kind))
                })?;
                let of_names = job.names().map(|it| (it, Arc::clone(&strategy)));
                this.strategies.extend(of_names);
            }
        }
        Ok(this)
    }

    fn require(&mut self, executor: &dyn Executor, owner: &str) {
        let required = executor.requirements().into_iter();
        let required = required.map(|it| (it, owner.to_owned()));
        self.requirements.extend(required);
    }

    pub(super) fn executors(&self, kind: &str) -> Option<&Arc<[Arc<dyn Executor>]>> {
        self.executors.get(kind)
    }

    pub(super) fn strategy(&self, kind: &str) -> Option<&dyn RetryStrategy> {
        self.strategies.get(kind).map(|it| &**it)
    }

    pub(super) fn requirements(&self) -> &[(Requirement, String)] {
        &self.requirements
    }
}

impl fmt::Debug for Equipment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Equipment")
            .field("executors", &self.executors.len())
            .field("strategies", &self.strategies.len())
            .finish_non_exhaustive()
    }
}
