//! `backlog`: what waits, runs and is held, kind by kind.

use std::fmt;

use chrono::{DateTime, Utc};
use pgqueuer::{Counts, Histogram, KindOverview, LimitRecord, Measures, Overview, PgQueuer, Scope};
use serde::Serialize;

use crate::{exit::Failure, figures, output::Output, table};

pub(super) async fn run(pgq: &PgQueuer, output: &mut Output<'_>) -> Result<(), Failure> {
    output.result(&Backlog {
        overview: pgq.overview().await?,
        limits: pgq.list_limits().await?,
    })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Backlog {
    overview: Overview,
    #[serde(skip)]
    limits: Vec<LimitRecord>,
}

/// One kind, or several together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) counts: Counts,
    pub(super) oldest: Option<DateTime<Utc>>,
    pub(super) per_second: f64,
    /// Of the last minutes.
    pub(super) recent: Measures,
    pub(super) minutes: Vec<u64>,
}

impl Sum {
    pub(super) fn of<'a>(kinds: impl IntoIterator<Item = &'a KindOverview>) -> Self {
        let mut sum = Self::default();
        for kind in kinds {
            sum.counts.scheduled += kind.counts.scheduled;
            sum.counts.available += kind.counts.available;
            sum.counts.running += kind.counts.running;
            sum.counts.held += kind.counts.held;
            sum.oldest = [sum.oldest, kind.oldest].into_iter().flatten().min();
            sum.per_second += kind.per_second;
            sum.recent.add(&kind.recent.measures);
            if sum.minutes.len() < kind.minutes.len() {
                sum.minutes.resize(kind.minutes.len(), 0);
            }
            for (total, attempts) in sum.minutes.iter_mut().zip(&kind.minutes) {
                *total += attempts;
            }
        }
        sum
    }

    /// How many jobs are not finished.
    pub(super) fn unfinished(&self) -> u64 {
        let Counts {
            scheduled,
            available,
            running,
            held,
        } = self.counts;
        scheduled + available + running + held
    }

    pub(super) fn oldest(&self, now: DateTime<Utc>) -> String {
        self.oldest
            .map_or_else(|| "-".to_owned(), |it| figures::ago(it, now))
    }
}

/// What a share of durations does not exceed.
pub(super) fn quantile(of: &Histogram, share: f64) -> String {
    figures::span_or_none(of.quantile(share))
}

/// What keeps the jobs of a kind from beginning, or slows them.
pub(super) fn mark(kind: &KindOverview, limits: &[LimitRecord]) -> &'static str {
    let is_of = |scope: &Scope| match scope {
        Scope::Everything => false,
        Scope::Queue(name) => kind.queue.as_ref() == Some(name),
        Scope::Kind(name) => kind.kind == *name,
    };
    match &kind.paused {
        Some(Scope::Kind(_)) => "paused",
        Some(Scope::Queue(_)) => "queue paused",
        Some(Scope::Everything) => "all paused",
        None if limits
            .iter()
            .any(|it| is_of(&it.scope) && !it.limits.is_none()) =>
        {
            "limited"
        }
        None => "",
    }
}

const TITLES: [&str; 13] = [
    "kind",
    "queue",
    "waiting",
    "running",
    "scheduled",
    "held",
    "oldest",
    "rate/s",
    "wait p50",
    "wait p95",
    "run p50",
    "run p95",
    "note",
];

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overview { at, kinds, .. } = &self.overview;
        if kinds.is_empty() {
            return f.write_str("there is no job, and no worker has published any yet");
        }
        let row = |name: &str, queue: &str, sum: &Sum, mark: &str| {
            let (waits, runs) = (&sum.recent.waits, &sum.recent.runs);
            vec![
                name.to_owned(),
                queue.to_owned(),
                figures::count(sum.counts.available),
                figures::count(sum.counts.running),
                figures::count(sum.counts.scheduled),
                figures::count(sum.counts.held),
                sum.oldest(*at),
                figures::rate(sum.per_second),
                quantile(waits, 0.5),
                quantile(waits, 0.95),
                quantile(runs, 0.5),
                quantile(runs, 0.95),
                mark.to_owned(),
            ]
        };
        let mut rows: Vec<Vec<String>> = kinds
            .iter()
            .map(|it| {
                let queue = it.queue.as_deref().unwrap_or_default();
                row(&it.kind, queue, &Sum::of([it]), mark(it, &self.limits))
            })
            .collect();
        rows.push(row("total", "", &Sum::of(kinds), ""));
        f.write_str(&table::render(&TITLES, &rows))
    }
}
