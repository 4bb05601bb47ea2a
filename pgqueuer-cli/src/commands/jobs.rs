//! `jobs`: looking at jobs, and deciding what becomes of them.

mod change;
pub(super) mod view;
mod which;

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use pgqueuer::{Edit, JobId, JobState, PgQueuer, Requeue};

use super::enqueue::{parse_delay, parse_time};
use crate::{catalog::Catalog, exit::Failure, output::Output};
pub(super) use change::Done;
use change::{Arguments, Change, What};
use view::{Page, View};
use which::{Sure, Which};

/// Lists jobs, shows one, cancels, requeues, discards or edits them.
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Lists unfinished jobs, by id. Those that are finished are in `history`.
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
        #[arg(long, value_name = "TEXT", default_value = "by hand", value_parser = parse_reason)]
        reason: String,
    },
    /// Runs held jobs again; and scheduled ones, if they are named by id or state.
    Requeue {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
        #[command(flatten)]
        how: How,
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
    /// Changes held and scheduled jobs, and leaves them so: mend a held job, then requeue it.
    ///
    /// Only scheduled jobs have a time to be changed. The unique key of a job stays what it was.
    Edit {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
        #[command(flatten)]
        how: How,
    },
}

/// What is different afterwards.
#[derive(Debug, Args)]
struct How {
    /// Due when this time has passed: 30s, 5m, "1h 30m".
    #[arg(long, value_name = "DURATION", value_parser = parse_delay)]
    delay: Option<Duration>,
    /// Due at this time: 2030-01-31T08:00:00+01:00.
    #[arg(long, value_name = "TIME", conflicts_with = "delay", value_parser = parse_time)]
    run_at: Option<DateTime<Utc>>,
    /// With these arguments, as a JSON object; `-` reads them from standard input.
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// With this priority.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i16>,
    /// Even if the kind is unknown, or the arguments do not seem to fit.
    #[arg(long, requires = "arguments")]
    unchecked: bool,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    args: JobsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let (which, sure, filter, what, arguments) = match args.command {
        JobsCommand::List {
            which,
            limit,
            above,
        } => {
            let jobs = pgq.list_jobs(&which.filter()?, above, limit).await?;
            return output.result(&Page::of(jobs, built_in.as_ref()));
        }
        JobsCommand::Show { id } => return show(pgq, built_in, id, output).await,
        JobsCommand::Cancel {
            which,
            sure,
            reason,
        } => {
            let filter = which.filter()?;
            (which, sure, filter, What::Cancel(reason), None)
        }
        JobsCommand::Requeue {
            which,
            sure,
            how,
            keep_attempts,
        } => {
            let filter = which.held_unless_named()?;
            let arguments = how.arguments()?;
            let what = What::Requeue(how.requeue(keep_attempts, arguments.as_ref()));
            (which, sure, filter, what, arguments)
        }
        JobsCommand::Discard { which, sure } => {
            let filter = which.filter()?.state(JobState::Held);
            (which, sure, filter, What::Discard, None)
        }
        JobsCommand::Edit { which, sure, how } => {
            let filter = which.filter()?;
            let arguments = how.arguments()?;
            let what = What::Edit(how.edit(arguments.as_ref())?);
            (which, sure, filter, what, arguments)
        }
    };
    let names_each = which.names_each();
    let change = Change {
        filter,
        names_each,
        what,
        arguments,
    };
    change.run(pgq, built_in, &sure, output).await
}

async fn show(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    id: JobId,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let Some(job) = pgq.get_job(id).await? else {
        return Err(Failure::refused(format!(
            "there is no job {id}, or its record has expired"
        )));
    };
    let catalog = match built_in {
        Some(catalog) => catalog,
        None => Catalog::published(pgq).await?,
    };
    output.result(&View::of(job, Some(&catalog)))
}

impl How {
    fn arguments(&self) -> Result<Option<Arguments>, Failure> {
        let read = |text| Arguments::read(text, self.unchecked);
        self.arguments.as_deref().map(read).transpose()
    }

    fn requeue(&self, keep_attempts: bool, arguments: Option<&Arguments>) -> Requeue {
        let mut how = Requeue::now();
        how = self.delay.into_iter().fold(how, Requeue::after);
        how = self.run_at.into_iter().fold(how, Requeue::at);
        how = self.priority.into_iter().fold(how, Requeue::priority);
        how = arguments
            .into_iter()
            .fold(how, |how, it| how.payload(it.payload.clone()));
        match keep_attempts {
            true => how.keep_attempts(),
            false => how,
        }
    }

    fn edit(&self, arguments: Option<&Arguments>) -> Result<Edit, Failure> {
        let mut edit = Edit::new();
        edit = self.delay.into_iter().fold(edit, Edit::after);
        edit = self.run_at.into_iter().fold(edit, Edit::at);
        edit = self.priority.into_iter().fold(edit, Edit::priority);
        edit = arguments
            .into_iter()
            .fold(edit, |edit, it| edit.payload(it.payload.clone()));
        if edit == Edit::new() {
            return Err(Failure::usage(
                "nothing is to be changed; add `--arguments JSON`, `--priority N`, `--delay \
                 DURATION` or `--run-at TIME`",
            ));
        }
        Ok(edit)
    }
}

fn parse_reason(text: &str) -> Result<String, String> {
    const MAX_BYTES: usize = 8 * 1024;
    match text.len() {
        0..=MAX_BYTES => Ok(text.to_owned()),
        length => Err(format!("it is {length} bytes long, at most {MAX_BYTES}")),
    }
}
