//! `stale`: what should be running or done by now, and why it is not, as far as that is known.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use pgqueuer::{LimitRecord, PgQueuer, Scope, Stale, StaleRecord};
use serde::Serialize;

use super::enqueue::parse_delay;
use crate::{catalog::Catalog, exit::Failure, output::Output, progress::watch, table};

/// Shows what should be running or done by now: jobs that wait, run, or were left behind, and dead workers.
///
/// Reads the first thousand jobs of each kind and priority, which are those that have waited longest.
#[derive(Debug, Args)]
pub(crate) struct StaleArgs {
    /// Jobs that have been due for longer than this: 30s, 5m, "1h 30m".
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_delay)]
    older_than: Duration,
    /// Jobs that have run for longer than this.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_delay)]
    running_longer_than: Duration,
    /// So many at most, the oldest first.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    args: StaleArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let stale = pgq.list_stale(args.older_than, args.running_longer_than, args.limit);
    let stale = watch("look for what does not go on", stale).await?;
    let reasons = Reasons {
        catalog: Catalog::published(pgq).await?,
        limits: pgq.list_limits().await?,
    };
    let now = pgq.now().await?;
    let row = |record: StaleRecord| Row {
        seconds: (now - record.since).num_seconds(),
        why: reasons.of(&record),
        what: record.what,
        id: record.id,
        kind: record.kind,
        since: record.since,
        worker: record.worker,
    };
    output.result(&List(stale.into_iter().map(row).collect()))
}

/// What keeps jobs from being run.
struct Reasons {
    catalog: Catalog,
    limits: Vec<LimitRecord>,
}

impl Reasons {
    fn of(&self, record: &StaleRecord) -> String {
        match record.what {
            Stale::Waiting => self.of_waiting(record),
            Stale::Overdue if !record.is_attended => NOBODY.to_owned(),
            Stale::Overdue => String::new(),
            Stale::Running if record.is_lost && !record.is_attended => {
                format!("its worker is gone, and {NOBODY}")
            }
            Stale::Running if record.is_lost => "its worker is gone".to_owned(),
            Stale::Running => String::new(),
            Stale::Session if !record.is_attended => format!("its lease ran out, and {NOBODY}"),
            Stale::Session => "its lease ran out".to_owned(),
        }
    }

    fn of_waiting(&self, record: &StaleRecord) -> String {
        let known = self.catalog.find(&record.kind);
        let concerns = |scope: &Scope| match (scope, known) {
            (Scope::Everything, _) => true,
            (Scope::Queue(queue), Some(known)) => *queue == known.queue,
            (Scope::Kind(kind), Some(known)) => *kind == known.job,
            (Scope::Kind(kind), None) => *kind == record.kind,
            (Scope::Queue(_), None) => false,
        };
        let mut rules = self.limits.iter().filter(|it| concerns(&it.scope));
        if let Some(paused) = rules.clone().find(|it| it.paused_at.is_some()) {
            return format!("{} is paused", paused.scope);
        }
        if !record.is_attended {
            return NOBODY.to_owned();
        }
        if known.is_none() {
            return "no worker has ever had this kind".to_owned();
        }
        match rules.find(|it| !it.limits.is_none()) {
            Some(limited) => format!("{} is limited", limited.scope),
            None => "the workers are busy, or none that runs has this kind".to_owned(),
        }
    }
}

const NOBODY: &str = "no worker is running";

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<Row>);

#[derive(Serialize)]
struct Row {
    what: Stale,
    id: i64,
    kind: String,
    since: DateTime<Utc>,
    seconds: i64,
    worker: Option<String>,
    why: String,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing is stale");
        }
        let row = |it: &Row| {
            let seconds = Duration::from_secs(it.seconds.unsigned_abs());
            vec![
                it.what.as_str().to_owned(),
                it.id.to_string(),
                it.kind.clone(),
                humantime::format_duration(seconds).to_string(),
                it.worker.clone().unwrap_or_default(),
                it.why.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        let titles = ["what", "id", "kind", "for", "worker", "why"];
        f.write_str(&table::render(&titles, &rows))
    }
}
