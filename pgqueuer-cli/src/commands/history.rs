//! `history`: what is finished, the newest first.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use pgqueuer::{HistoryFilter, HistoryPlace, JobRecord, PgQueuer, store};
use serde::Serialize;

use super::{
    enqueue::{parse_delay, parse_time},
    jobs::view::{View, first_line},
};
use crate::{exit::Failure, output::Output, progress::watch, table};

/// Lists finished jobs, the newest first: how each ended, and what went wrong.
///
/// Reads the end of the history, whatever its size. A page may end early, where nothing of what is asked
/// for was found in a long stretch; `--before` goes on.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Jobs of this kind; may be repeated.
    #[arg(long = "kind", value_name = "NAME")]
    kinds: Vec<String>,
    /// Jobs that ended so.
    #[arg(long, value_enum, value_name = "ENDING")]
    ending: Option<Ending>,
    /// Jobs that were finished at this time or later: 2030-01-31T08:00:00Z, or 90m for so long ago.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// Jobs that were finished before this time; or below this place, which the page before has printed.
    #[arg(long, value_name = "TIME|PLACE", value_parser = parse_place)]
    before: Option<HistoryPlace>,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ending {
    Completed,
    Cancelled,
    Discarded,
}

#[derive(Clone, Copy, Debug)]
enum Since {
    Time(DateTime<Utc>),
    Ago(Duration),
}

pub(super) async fn run(
    pgq: &PgQueuer,
    args: HistoryArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut filter = HistoryFilter::all();
    filter = args.kinds.into_iter().fold(filter, HistoryFilter::kind);
    filter = args
        .ending
        .map(Ending::of_store)
        .into_iter()
        .fold(filter, HistoryFilter::ending);
    filter = match args.since {
        None => filter,
        Some(Since::Time(time)) => filter.since(time),
        Some(Since::Ago(ago)) => filter.since(pgq.now().await? - ago),
    };
    let page = pgq.list_history(&filter, args.before, args.limit);
    let page = watch("read the history", page).await?;
    output.result(&History {
        jobs: page.jobs.into_iter().map(Row::from).collect(),
        next: page.next.map(|it| it.to_string()),
    })
}

impl Ending {
    fn of_store(self) -> store::Ending {
        match self {
            Self::Completed => store::Ending::Completed,
            Self::Cancelled => store::Ending::Cancelled,
            Self::Discarded => store::Ending::Discarded,
        }
    }
}

fn parse_since(text: &str) -> Result<Since, String> {
    match parse_delay(text) {
        Ok(ago) => Ok(Since::Ago(ago)),
        Err(_) => parse_time(text).map(Since::Time),
    }
}

fn parse_place(text: &str) -> Result<HistoryPlace, String> {
    text.parse()
        .map_err(|error: pgqueuer::Error| error.to_string())
}

#[derive(Serialize)]
struct History {
    jobs: Vec<Row>,
    /// Where to go on.
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    view: View,
    #[serde(skip)]
    cells: Vec<String>,
}

impl From<JobRecord> for Row {
    fn from(job: JobRecord) -> Self {
        let time = |it: DateTime<Utc>| it.format("%Y-%m-%d %H:%M:%S").to_string();
        let took = job.finished_at.zip(job.claimed_at);
        let took = took.and_then(|(end, begin)| (end - begin).to_std().ok());
        let message = job.failures.last().map(|it| first_line(&it.message));
        let cells = vec![
            job.finished_at.map(time).unwrap_or_default(),
            job.id.to_string(),
            job.kind.clone(),
            job.state.to_string(),
            job.attempt.to_string(),
            took.map(seconds).unwrap_or_default(),
            message.unwrap_or_default(),
        ];
        let view = View::of(job, None);
        Self { view, cells }
    }
}

fn seconds(it: Duration) -> String {
    format!("{:.3} s", it.as_secs_f64())
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.jobs.is_empty() {
            f.write_str("there is no such finished job")?;
        } else {
            let rows: Vec<Vec<String>> = self.jobs.iter().map(|it| it.cells.clone()).collect();
            let titles = [
                "finished (UTC)",
                "id",
                "kind",
                "ending",
                "attempts",
                "took",
                "last failure",
            ];
            f.write_str(&table::render(&titles, &rows))?;
        }
        match &self.next {
            None => Ok(()),
            Some(next) => write!(f, "\n\nolder ones: --before {next}"),
        }
    }
}
