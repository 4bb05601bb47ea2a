//! Every setting of a worker, with unit, default and range.

use std::time::Duration;

use crate::error::{Error, Result};

/// Timing and batching of one [`Worker`](crate::Worker).
///
/// The defaults suit jobs that take from microseconds to hours. New fields come in minor
/// releases, so write `..WorkerConfig::default()`.
///
/// ```
/// use std::time::Duration;
/// use pgqueuer::WorkerConfig;
///
/// let config = WorkerConfig {
///     concurrency: 20,
///     ..WorkerConfig::default()
/// };
/// assert_eq!(config.poll_interval, Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerConfig {
    /// What this worker is called in logs and in the table of sessions.
    ///
    /// Default: `host:process id`. At most 200 characters.
    pub name: String,

    /// How many jobs this worker runs at a time.
    ///
    /// Default: 100. From 1 to 10,000.
    pub concurrency: usize,

    /// How often to look for jobs when nothing rings the bell; also the longest that a
    /// delayed job can be late. Spread by 10 %, so that workers do not look together.
    ///
    /// Default: 1 s. From 10 ms to 1 h.
    pub poll_interval: Duration,

    /// Whether to use `LISTEN`. Without it idle workers notice new jobs by polling only. Behind a
    /// pooler there is none: a worker finds that out, warns once, and polls.
    ///
    /// Default: `true`.
    pub listen: bool,

    /// How long the jobs of this worker stay its own after its last sign of life. Signs of
    /// life come every third of this time.
    ///
    /// Shorter means faster recovery from a crash; longer tolerates longer outages of the
    /// database. Handlers may take as long as they like.
    ///
    /// Default: 15 s. From 3 s to 1 h.
    pub lease: Duration,

    /// How long a worker that was told to stop waits for running jobs. What is still running
    /// then is cancelled and given back, at no attempt.
    ///
    /// Default: 25 s, which fits the 30 s that Kubernetes allows.
    pub shutdown_grace: Duration,

    /// The most jobs that are claimed in one statement. A worker claims as many as it has free
    /// slots, and, of jobs that are over soon, those that it will begin within the next 20 ms.
    ///
    /// Default: 2000. From 1 to 10,000.
    pub claim_batch: usize,

    /// How many results are written in one statement.
    ///
    /// Default: 2000. From 1 to 10,000.
    pub settle_batch: usize,

    /// How long a result may wait for others to be written with it.
    ///
    /// Default: 5 ms. At most 1 s.
    pub settle_delay: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            name: default_name(),
            concurrency: 100,
            poll_interval: Duration::from_secs(1),
            listen: true,
            lease: Duration::from_secs(15),
            shutdown_grace: Duration::from_secs(25),
            claim_batch: 2000,
            settle_batch: 2000,
            settle_delay: Duration::from_millis(5),
        }
    }
}

impl WorkerConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        let name_length = self.name.chars().count();
        let problem = if name_length > 200 || self.name.contains('\0') {
            format!("name is {name_length} characters long, at most 200 without NUL")
        } else if !(1..=10_000).contains(&self.concurrency) {
            format!("concurrency is {}, from 1 to 10000", self.concurrency)
        } else if self.poll_interval < Duration::from_millis(10)
            || self.poll_interval > Duration::from_secs(3600)
        {
            format!("poll_interval is {:?}, from 10ms to 1h", self.poll_interval)
        } else if self.lease < Duration::from_secs(3) || self.lease > Duration::from_secs(3600) {
            format!("lease is {:?}, from 3s to 1h", self.lease)
        } else if !(1..=10_000).contains(&self.claim_batch) {
            format!("claim_batch is {}, from 1 to 10000", self.claim_batch)
        } else if !(1..=10_000).contains(&self.settle_batch) {
            format!("settle_batch is {}, from 1 to 10000", self.settle_batch)
        } else if self.settle_delay > Duration::from_secs(1) {
            format!("settle_delay is {:?}, at most 1s", self.settle_delay)
        } else {
            return Ok(());
        };
        Err(Error::config(format!("worker setting {problem}")))
    }
}

fn default_name() -> String {
    let host = ["HOSTNAME", "COMPUTERNAME"]
        .into_iter()
        .find_map(|it| std::env::var(it).ok())
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map(|it| it.trim().to_owned())
        .filter(|it| !it.is_empty() && it.len() < 150)
        .unwrap_or_else(|| "worker".to_owned());
    format!("{host}:{}", std::process::id())
}
