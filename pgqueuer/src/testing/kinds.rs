//! Which jobs a test runs, and why not the others.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::Setup;
use crate::{
    error::{Error, Result},
    registry::{JobDescriptor, Registry},
    store::JobRecord,
};

/// The kinds of a test.
pub(super) struct Kinds {
    /// Those that it runs.
    pub(super) jobs: Vec<JobDescriptor>,
    /// Those that cannot run in it, by their names, and what to do about it.
    unable: BTreeMap<&'static str, String>,
    /// The schedules in the code that tick.
    declared: BTreeSet<&'static str>,
    /// What the test has asked for in vain.
    refused: Option<String>,
}

impl Kinds {
    pub(super) fn of(setup: &Setup, has_transactions: bool) -> Self {
        let mut jobs = Vec::new();
        let mut unable = BTreeMap::new();
        let mut refused = None;
        let candidates = candidates(setup);
        for job in &candidates {
            if setup.left.contains(job.kind) {
                continue;
            }
            let is_asked_for = setup.scheduled.contains(job.kind);
            let problem = match problem(job, &candidates, setup, has_transactions) {
                None if is_asked_for && job.schedule().is_none() => {
                    Some("has no schedule in its code; see `PgQueuer::create_schedule`".to_owned())
                }
                problem => problem,
            };
            let Some(problem) = problem else {
                let ticks = is_asked_for || setup.all_scheduled;
                let job = steady(*job);
                jobs.push(if ticks { job } else { job.without_schedule() });
                continue;
            };
            let problem = format!("kind `{}` ({}) {problem}", job.kind, job.source);
            if is_asked_for {
                refused.get_or_insert(format!("a schedule cannot tick in this test: {problem}"));
            }
            unable.extend(job.names().map(|name| (name, problem.clone())));
        }
        let declared = jobs.iter().filter(|it| it.schedule().is_some());
        Self {
            declared: declared.map(|it| it.kind).collect(),
            jobs,
            unable,
            refused,
        }
    }

    /// Refuses what the test has asked for in vain.
    pub(super) fn check(&self) -> Result<()> {
        match &self.refused {
            None => Ok(()),
            Some(refused) => Err(Error::config(refused.clone())),
        }
    }

    pub(super) fn runs(&self, kind: &str) -> bool {
        self.jobs
            .iter()
            .any(|it| it.names().any(|name| name == kind))
    }

    /// Whether the schedule of this name, if the code has it, is in the code of a job that runs.
    pub(super) fn declares(&self, schedule: &str) -> bool {
        self.declared.contains(schedule)
    }

    /// Whether a test should hear of it when a job of this kind is due.
    pub(super) fn concerns(&self, kind: &str) -> bool {
        self.runs(kind) || self.unable.contains_key(kind)
    }

    /// Why a job that is due cannot run, and what to do about it.
    pub(super) fn problem_of(&self, job: &JobRecord) -> Option<String> {
        let problem = self.unable.get(job.kind.as_str())?;
        Some(format!(
            "job {} is due and cannot run in this test: its {problem}; if it is not to run, say \
             `queue.leave::<…>()` with its type",
            job.id
        ))
    }
}

/// Those that were registered, and those that are linked unless they share a name with these.
fn candidates(setup: &Setup) -> Vec<JobDescriptor> {
    let mut jobs: Vec<JobDescriptor> = Vec::new();
    for job in &setup.registered {
        if !jobs.iter().any(|it| it.is_same(job)) {
            jobs.push(*job);
        }
    }
    let registered = jobs.len();
    for job in Registry::linked().filter(|_| !setup.only_registered) {
        if !jobs[..registered].iter().any(|it| share_a_name(it, &job)) {
            jobs.push(job);
        }
    }
    jobs
}

fn problem(
    job: &JobDescriptor,
    candidates: &[JobDescriptor],
    setup: &Setup,
    has_transactions: bool,
) -> Option<String> {
    let missing: Vec<String> = job
        .missing_in_all(&setup.resources)
        .into_iter()
        .map(|it| format!("`State<{}>`", it.type_name()))
        .collect();
    if !missing.is_empty() {
        let list = missing.join(" and ");
        return Some(format!("takes {list}; give that with `queue.state(…)`"));
    }
    if job.takes_transaction() && !has_transactions {
        return Some(
            "takes a `Tx`, which a queue in memory does not have; write `#[pgqueuer::test(postgres)]`"
                .to_owned(),
        );
    }
    // What was registered by hand is meant. If two of those clash, the worker says so.
    let is_registered = setup.registered.iter().any(|it| it.is_same(job));
    let other = candidates
        .iter()
        .find(|it| !it.is_same(job) && share_a_name(it, job));
    match other {
        Some(other) if !is_registered => Some(format!(
            "is also that of a job at {}; say which one is meant with `queue.register::<…>()`",
            other.source
        )),
        _ => None,
    }
}

fn share_a_name(one: &JobDescriptor, other: &JobDescriptor) -> bool {
    one.names().any(|name| other.names().any(|it| it == name))
}

/// Waits of a known length: a test that advances the clock by them must find the retry.
fn steady(mut job: JobDescriptor) -> JobDescriptor {
    job.options.backoff.jitter = 0.0;
    job
}
