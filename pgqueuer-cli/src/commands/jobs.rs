//! `jobs`: looking at jobs, and deciding what becomes of them.

pub(super) mod view;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use pgqueuer::{Codec, JobFilter, JobId, JobState, Payload, PgQueuer, Requeue};
use serde::Serialize;
use std::{fmt, time::Duration};

use super::enqueue::{parse_delay, parse_time};
use crate::{catalog::Catalog, exit::Failure, output::Output};
use view::{Page, View};

/// Lists jobs, shows one, cancels, requeues or discards them.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Lists unfinished jobs, by id.
    List {
        #[command(flatten)]
        which: Which,
        /// So many at most.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only those with greater ids: the last one of the page before.
        #[arg(long, value_name = "ID")]
        above: Option<JobId>,
    },
    /// Shows one job, unfinished or finished: its arguments, and what went wrong.
    Show {
        /// Its id.
        id: JobId,
    },
    /// Cancels unfinished jobs: those that wait are gone, and those that run are told.
    Cancel {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
        /// Why; it is kept with the record.
        #[arg(long, value_name = "TEXT", default_value = "by hand")]
        reason: String,
    },
    /// Runs held jobs again; and scheduled ones, if they are named by id or state.
    Requeue {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
        /// Not now, but when this time has passed: 30s, 5m, "1h 30m".
        #[arg(long, value_name = "DURATION", value_parser = parse_delay)]
        delay: Option<Duration>,
        /// Not now, but at this time: 2030-01-31T08:00:00+01:00.
        #[arg(long, value_name = "TIME", conflicts_with = "delay", value_parser = parse_time)]
        run_at: Option<DateTime<Utc>>,
        /// With these arguments, as a JSON object.
        #[arg(long, value_name = "JSON")]
        arguments: Option<String>,
        /// With this priority.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        priority: Option<i16>,
        /// With the attempts that are left, not with all.
        #[arg(long)]
        keep_attempts: bool,
    },
    /// Gives up held jobs: their arguments are deleted.
    Discard {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
    },
}

/// Which jobs are meant: all that is given must hold.
#[derive(Debug, Args)]
struct Which {
    /// Jobs by their ids.
    #[arg(value_name = "ID")]
    ids: Vec<JobId>,
    /// Jobs of this kind.
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    /// Jobs of this queue.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Jobs in this state; may be repeated.
    #[arg(long = "state", value_name = "STATE", value_parser = ["scheduled", "available", "running", "held"])]
    states: Vec<String>,
    /// Jobs with this key for limits, as it is listed: 42, or "\"acme\"".
    #[arg(long, value_name = "KEY")]
    limit_key: Option<String>,
    /// The job with this unique key.
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Jobs that were enqueued before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    before: Option<DateTime<Utc>>,
    /// Jobs that were enqueued at this time or later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// All jobs.
    #[arg(long)]
    all: bool,
}

/// What is done to many jobs has to be meant.
#[derive(Debug, Args)]
struct Sure {
    /// Really do it, without naming each job.
    #[arg(long)]
    yes: bool,
    /// Only list the jobs that are meant.
    #[arg(long)]
    dry_run: bool,
}

/// What comes of deciding about jobs.
enum Decision {
    Do,
    List,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    args: JobsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match args.command {
        JobsCommand::List {
            which,
            limit,
            above,
        } => {
            let filter = which.filter()?;
            let jobs = pgq.list_jobs(&filter, above, limit).await?;
            output.result(&Page::of(jobs))
        }
        JobsCommand::Show { id } => match pgq.get_job(id).await? {
            Some(job) => output.result(&View::of(job, built_in.as_ref())),
            None => Err(Failure::refused(format!(
                "there is no job {id}, or its record has expired"
            ))),
        },
        JobsCommand::Cancel {
            which,
            sure,
            reason,
        } => {
            let filter = which.filter()?;
            match decide(pgq, &which, &filter, &sure, "cancel").await? {
                Decision::List => list(pgq, &filter, output).await,
                Decision::Do => {
                    output.result(&Done::Cancelled(pgq.cancel(&filter, &reason).await?))
                }
            }
        }
        JobsCommand::Requeue {
            which,
            sure,
            delay,
            run_at,
            arguments,
            priority,
            keep_attempts,
        } => {
            let filter = held_unless_named(&which)?;
            let mut how = Requeue::now();
            how = delay.into_iter().fold(how, Requeue::after);
            how = run_at.into_iter().fold(how, Requeue::at);
            how = priority.into_iter().fold(how, Requeue::priority);
            if keep_attempts {
                how = how.keep_attempts();
            }
            if let Some(arguments) = arguments {
                how = how.payload(payload(&arguments)?);
            }
            match decide(pgq, &which, &filter, &sure, "requeue").await? {
                Decision::List => list(pgq, &filter, output).await,
                Decision::Do => output.result(&Done::Requeued(pgq.requeue(&filter, &how).await?)),
            }
        }
        JobsCommand::Discard { which, sure } => {
            let filter = which.filter()?.state(JobState::Held);
            match decide(pgq, &which, &filter, &sure, "discard").await? {
                Decision::List => list(pgq, &filter, output).await,
                Decision::Do => output.result(&Done::Discarded {
                    discarded: pgq.discard(&filter).await?,
                }),
            }
        }
    }
}

fn held_unless_named(which: &Which) -> Result<JobFilter, Failure> {
    let filter = which.filter()?;
    Ok(match which.ids.is_empty() && which.states.is_empty() {
        true => filter.state(JobState::Held),
        false => filter,
    })
}

async fn list(pgq: &PgQueuer, filter: &JobFilter, output: &mut Output<'_>) -> Result<(), Failure> {
    output.result(&Page::of(pgq.list_jobs(filter, None, MOST_SHOWN).await?))
}

/// Jobs that are counted or listed before something is done to them.
const MOST_SHOWN: u32 = 10_000;

async fn decide(
    pgq: &PgQueuer,
    which: &Which,
    filter: &JobFilter,
    sure: &Sure,
    what: &str,
) -> Result<Decision, Failure> {
    if sure.dry_run {
        return Ok(Decision::List);
    }
    if sure.yes || !which.ids.is_empty() {
        return Ok(Decision::Do);
    }
    let jobs = pgq.list_jobs(filter, None, MOST_SHOWN).await?.len();
    let jobs = match jobs {
        0 => return Ok(Decision::Do),
        1 => "1 job".to_owned(),
        jobs if jobs == MOST_SHOWN as usize => format!("{jobs} jobs or more"),
        jobs => format!("{jobs} jobs"),
    };
    Err(Failure::refused(format!(
        "this would {what} {jobs}; add --yes to do it, or --dry-run to see them"
    )))
}

fn payload(arguments: &str) -> Result<Payload, Failure> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(arguments) {
        Ok(_) => Ok(Payload {
            codec: Codec::Json,
            bytes: arguments.as_bytes().to_vec(),
        }),
        Err(error) => Err(Failure::refused("the arguments are not a JSON object").because(error)),
    }
}

impl Which {
    fn filter(&self) -> Result<JobFilter, Failure> {
        let is_empty = self.ids.is_empty()
            && self.kind.is_none()
            && self.queue.is_none()
            && self.states.is_empty()
            && self.limit_key.is_none()
            && self.unique_key.is_none()
            && self.before.is_none()
            && self.since.is_none();
        if is_empty && !self.all {
            return Err(Failure::usage(
                "no job is named; give ids, `--kind NAME` or another option, or `--all`",
            ));
        }
        let mut filter = match self.ids.is_empty() {
            true => JobFilter::all(),
            false => JobFilter::ids(self.ids.iter().copied()),
        };
        filter = self.kind.iter().fold(filter, JobFilter::of_kind);
        filter = self.queue.iter().fold(filter, JobFilter::of_queue);
        filter = self.limit_key.iter().fold(filter, JobFilter::limit_key);
        filter = self.unique_key.iter().fold(filter, JobFilter::unique_key);
        filter = self
            .before
            .into_iter()
            .fold(filter, JobFilter::enqueued_before);
        filter = self
            .since
            .into_iter()
            .fold(filter, JobFilter::enqueued_since);
        for state in &self.states {
            filter = filter.state(match state.as_str() {
                "scheduled" => JobState::Scheduled,
                "available" => JobState::Available,
                "running" => JobState::Running,
                _ => JobState::Held,
            });
        }
        Ok(filter)
    }
}

/// What was done.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Done {
    Cancelled(pgqueuer::Cancelled),
    Requeued(pgqueuer::Requeued),
    Discarded { discarded: u64 },
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(done) => {
                write!(f, "cancelled {} that waited", done.waiting)?;
                match done.running {
                    0 => Ok(()),
                    running => write!(f, ", and told {running} that run"),
                }
            }
            Self::Requeued(done) => {
                write!(f, "requeued {}", done.requeued)?;
                match done.refused {
                    0 => Ok(()),
                    refused => write!(f, "; {refused} stay, for others have their unique keys"),
                }
            }
            Self::Discarded { discarded } => write!(f, "discarded {discarded}"),
        }
    }
}
