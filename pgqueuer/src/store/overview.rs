//! What every view shows of a queue: screens, commands, metrics.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::Serialize;

use super::{
    minutes::{Measures, MinuteRecord},
    records::Counts,
    types::SessionId,
};
use crate::limits::Scope;

/// What a queue is doing. See [`PgQueuer::overview`](crate::PgQueuer::overview).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// When it was so, by the clock of the store.
    pub at: DateTime<Utc>,
    /// The kinds that workers have published, and those (aliases, too) that have unfinished jobs or were at
    /// work in the last half hour, by name.
    pub kinds: Vec<KindOverview>,
    /// The workers, the oldest session first.
    pub workers: Vec<WorkerRecord>,
}

/// What is going on with one kind of job.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindOverview {
    /// What sort of job.
    pub kind: String,
    /// The queue that it belongs to; `None` if no worker has published it.
    pub queue: Option<String>,
    /// What is paused, so that its jobs do not begin: the kind, its queue, or everything.
    pub paused: Option<Scope>,
    /// How many unfinished jobs it has, by state. What waits is `available`.
    #[serde(flatten)]
    pub counts: Counts,
    /// Since when the job has been due that has waited longest for its turn (by priority, the first in one
    /// of its lines); `None` if none waits.
    pub oldest: Option<DateTime<Utc>>,
    /// What was done in the last five minutes, and a little more: whole minutes.
    pub recent: Activity,
    /// How many attempts ended a second, in the minute before and the present one.
    pub per_second: f64,
    /// How many attempts ended in each of the last 30 minutes, the present one last.
    pub minutes: Vec<u64>,
}

impl KindOverview {
    fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            queue: None,
            paused: None,
            counts: Counts::default(),
            oldest: None,
            recent: Activity::default(),
            per_second: 0.0,
            minutes: vec![0; CHART],
        }
    }
}

/// What was done in a while.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Activity {
    /// How long that while was.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub lasted: Duration,
    /// What was done.
    #[serde(flatten)]
    pub measures: Measures,
}

fn seconds<S: serde::Serializer>(lasted: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(lasted.as_secs_f64())
}

/// A worker, in one of its lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// Which life.
    pub session: SessionId,
    /// How it calls itself.
    pub name: String,
    /// When this life began.
    pub started_at: DateTime<Utc>,
    /// When its jobs are given to others, unless it renews its lease before.
    pub expires_at: DateTime<Utc>,
    /// It has nothing to do, and waits for the bell.
    pub is_idle: bool,
    /// How many jobs it runs at a time, at most; `None` until it says so.
    pub concurrency: Option<u32>,
    /// How many jobs it has claimed and not settled, by kind, as it said within the last seconds.
    pub running: BTreeMap<String, u64>,
}

/// What a worker says of itself now and then. See [`Store::report`](super::Store::report).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerReport {
    /// How many jobs it runs at a time, at most.
    pub concurrency: u32,
    /// How many jobs it has claimed and not settled, by kind.
    pub running: BTreeMap<String, u64>,
    /// How far it is in the lines from which it takes jobs just now.
    pub fronts: Vec<Front>,
}

/// How far a worker is in a line, so that nobody needs to look for its head among what was just claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// What sort of job.
    pub kind: String,
    /// Of which priority.
    pub priority: i16,
    /// How long ago the job was due that it has claimed last.
    pub due_ago: Duration,
}

/// What became of the attempts of one kind, since the schema was installed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindTotal {
    /// What sort of job.
    pub kind: String,
    /// What was done.
    #[serde(flatten)]
    pub measures: Measures,
}

impl KindTotal {
    pub(crate) fn new(kind: String, measures: Measures) -> Self {
        Self { kind, measures }
    }
}

/// What a store knows of one kind: what waits, by the counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Backlog {
    pub(crate) kind: String,
    pub(crate) queue: Option<String>,
    /// Another name for a kind: shown only if there is something to show.
    pub(crate) is_alias: bool,
    pub(crate) paused: Option<Scope>,
    /// With those that run.
    pub(crate) available: u64,
    pub(crate) scheduled: u64,
    pub(crate) held: u64,
    pub(crate) oldest: Option<DateTime<Utc>>,
}

/// What an overview is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) at: DateTime<Utc>,
    pub(crate) backlog: Vec<Backlog>,
    pub(crate) workers: Vec<WorkerRecord>,
    /// Of the minutes that reach into [`RECENT`].
    pub(crate) recent: Vec<(String, Measures)>,
    /// Of those that reach into [`CHARTED`].
    pub(crate) minutes: Vec<MinuteRecord>,
}

/// What is recent: long enough for percentiles, short enough to be of now.
pub(crate) const RECENT: Duration = Duration::from_secs(5 * 60);

/// How many minutes a chart has.
const CHART: usize = 30;

/// How far back a chart goes: that many minutes, the present one among them.
pub(crate) const CHARTED: Duration = Duration::from_secs(60 * (CHART as u64 - 1));

impl Parts {
    pub(crate) fn assemble(self) -> Overview {
        let Self {
            at,
            backlog,
            workers,
            recent,
            minutes,
        } = self;
        let mut kinds: BTreeMap<String, KindOverview> = BTreeMap::new();
        let mut aliases = Vec::new();
        for it in backlog {
            if it.is_alias {
                aliases.push(it.kind.clone());
            }
            let kind = entry(&mut kinds, &it.kind);
            kind.queue = it.queue;
            kind.paused = it.paused;
            kind.oldest = it.oldest;
            kind.counts.available = it.available;
            kind.counts.scheduled = it.scheduled;
            kind.counts.held = it.held;
        }
        for (name, running) in workers.iter().flat_map(|it| &it.running) {
            entry(&mut kinds, name).counts.running += running;
        }
        for (name, measures) in &recent {
            entry(&mut kinds, name).recent.measures.add(measures);
        }
        let minute = floor(at);
        for it in minutes {
            let ago = (minute - it.minute).num_minutes();
            if let Some(place) = usize::try_from(ago).ok().filter(|it| *it < CHART) {
                entry(&mut kinds, &it.kind).minutes[CHART - 1 - place] += it.tally.attempts();
            }
        }
        let into_minute = (at - minute).to_std().unwrap_or_default();
        let minute_long = Duration::from_secs(60);
        for kind in kinds.values_mut() {
            // A worker says what it runs a little later than the counts do, which have all there is.
            kind.counts.running = kind.counts.running.min(kind.counts.available);
            kind.counts.available -= kind.counts.running;
            if kind.counts.available == 0 {
                kind.oldest = None;
            }
            kind.recent.lasted = RECENT + into_minute;
            let last_two: u64 = kind.minutes[CHART - 2..].iter().sum();
            kind.per_second = last_two as f64 / (minute_long + into_minute).as_secs_f64();
        }
        for alias in &aliases {
            let is_quiet = kinds.get(alias).is_some_and(|it| {
                it.counts == Counts::default() && it.minutes.iter().all(|it| *it == 0)
            });
            if is_quiet {
                kinds.remove(alias);
            }
        }
        Overview {
            at,
            kinds: kinds.into_values().collect(),
            workers,
        }
    }
}

fn entry<'a>(kinds: &'a mut BTreeMap<String, KindOverview>, name: &str) -> &'a mut KindOverview {
    kinds
        .entry(name.to_owned())
        .or_insert_with(|| KindOverview::new(name))
}

/// The minute that a time is in.
fn floor(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time)
}
