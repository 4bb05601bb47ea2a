//! `schedules`: what recurs, when it comes next, and how it went last.

pub(super) mod list;

use std::ops::RangeInclusive;

use clap::{Args, Subcommand};
use pgqueuer::{
    Missed, Overlap, PgQueuer, Schedule, ScheduleChange, ScheduleRecord,
    store::{ScheduleToMake, ScheduledJob},
};

use self::list::{Done, List, Slots};
use super::enqueue::{check_arguments, headers, parse_header, payload};
use crate::{catalog::Catalog, exit::Failure, output::Output};

/// Lists the schedules, or makes, changes and runs them while workers run.
#[derive(Debug, Args)]
pub(crate) struct SchedulesArgs {
    #[command(subcommand)]
    command: Option<SchedulesCommand>,
}

#[derive(Debug, Subcommand)]
enum SchedulesCommand {
    /// Lists the schedules (the default), with their times in their time zones.
    List,
    /// Prints the slots that come next.
    Next {
        /// The schedule.
        name: String,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(COUNT))]
        count: u16,
    },
    Create(CreateArgs),
    /// Changes a schedule, whether it is in the code or not; what is not named stays as it is.
    Set {
        /// The schedule.
        name: String,
        /// Another rule: `0 9 * * MON-FRI`, or `every 90s`.
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
        /// Other arguments, as a JSON object; `-` reads them from standard input.
        #[arg(long, value_name = "JSON")]
        arguments: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Lets hold again what the code says.
    Reset {
        /// The schedule.
        name: String,
    },
    /// Lets it tick no more until it is resumed; slots that pass meanwhile are not missed.
    Pause {
        /// The schedule.
        name: String,
    },
    /// Ends a pause.
    Resume {
        /// The schedule.
        name: String,
    },
    /// Enqueues its job now, besides its slots, and prints the id.
    Run {
        /// The schedule.
        name: String,
    },
    /// Deletes a schedule; the jobs that it has enqueued stay.
    ///
    /// One that is in the code is there again when a worker starts: pause it instead.
    Delete {
        /// The schedule.
        name: String,
    },
}

const COUNT: RangeInclusive<i64> = 1..=1000;

/// Makes a schedule: each of its slots enqueues this job.
#[derive(Debug, Args)]
struct CreateArgs {
    /// Its name.
    name: String,
    /// What sort of job.
    kind: String,
    /// When: a cron expression (`0 9 * * MON-FRI`, or with the seconds first), or `every 90s`.
    rule: String,
    /// The arguments by name, as a JSON object; `-` reads them from standard input.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    #[command(flatten)]
    options: Options,
    /// Higher runs first [default: that of the kind].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i16>,
    /// Text for the handler; may be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Options {
    /// The IANA time zone that a cron expression is meant in [default: UTC].
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// What becomes of missed slots: `skip`, `once`, `all`, `all up to 24` [default: once].
    #[arg(long, value_name = "WHAT")]
    missed: Option<Missed>,
    /// Whether it ticks while its last job is unfinished: `skip` or `allow` [default: allow].
    #[arg(long, value_name = "WHAT")]
    overlap: Option<Overlap>,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    args: SchedulesArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let done = |name: &str, what| Done {
        schedule: name.to_owned(),
        what,
    };
    match args.command.unwrap_or(SchedulesCommand::List) {
        SchedulesCommand::List => output.result(&List::read(pgq, built_in.as_ref()).await?),
        SchedulesCommand::Next { name, count } => {
            let schedule = find(pgq, &name).await?;
            output.result(&Slots::of(&schedule, count.into()))
        }
        SchedulesCommand::Create(args) => {
            let name = args.name.clone();
            create(pgq, built_in, args).await?;
            output.result(&done(&name, "created"))
        }
        SchedulesCommand::Set {
            name,
            rule,
            arguments,
            options,
        } => {
            let job = match arguments {
                Some(arguments) => {
                    let kind = find(pgq, &name).await?.kind;
                    Some(scheduled_job(pgq, built_in, &kind, &arguments).await?)
                }
                None => None,
            };
            let change = change(rule, job, options)?;
            pgq.change_schedule(&name, change).await?;
            output.result(&done(&name, "changed"))
        }
        SchedulesCommand::Reset { name } => {
            pgq.reset_schedule(&name).await?;
            output.result(&done(&name, "reset"))
        }
        SchedulesCommand::Pause { name } => {
            let is_changed = pgq.pause_schedule(&name).await?;
            output.result(&done(
                &name,
                if is_changed {
                    "paused"
                } else {
                    "paused already"
                },
            ))
        }
        SchedulesCommand::Resume { name } => {
            let is_changed = pgq.resume_schedule(&name).await?;
            output.result(&done(
                &name,
                if is_changed { "resumed" } else { "not paused" },
            ))
        }
        SchedulesCommand::Run { name } => output.result(&pgq.run_schedule(&name).await?),
        SchedulesCommand::Delete { name } => {
            pgq.delete_schedule(&name).await?;
            output.result(&done(&name, "deleted"))
        }
    }
}

async fn find(pgq: &PgQueuer, name: &str) -> Result<ScheduleRecord, Failure> {
    let known = pgq.list_schedules().await?;
    let found = known.into_iter().find(|it| it.name == name);
    found.ok_or_else(|| Failure::refused(format!("there is no schedule `{name}`")))
}

/// Checks the arguments as `enqueue` does: by their types, or by their names.
async fn scheduled_job(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    kind: &str,
    arguments: &str,
) -> Result<ScheduledJob, Failure> {
    let catalog = match built_in {
        Some(catalog) => catalog,
        None => Catalog::published(pgq).await?,
    };
    let job = catalog.expect_kind(kind)?;
    let payload = payload(arguments)?;
    check_arguments(job, &payload, "")?;
    Ok(ScheduledJob {
        kind: kind.to_owned(),
        limit_key: job.limit_key(&payload)?,
        unique_key: job.unique(&payload)?.map(|it| it.key),
        payload,
    })
}

async fn create(
    pgq: &PgQueuer,
    built_in: Option<Catalog>,
    args: CreateArgs,
) -> Result<(), Failure> {
    let job = scheduled_job(pgq, built_in, &args.kind, &args.arguments).await?;
    let Options {
        tz,
        missed,
        overlap,
    } = args.options;
    let new = ScheduleToMake {
        name: args.name,
        schedule: Schedule::new(args.rule)
            .zone(tz.unwrap_or_else(|| "UTC".to_owned()))
            .missed(missed.unwrap_or_default())
            .overlap(overlap.unwrap_or_default()),
        job,
        priority: args.priority,
        headers: headers(&args.headers)?,
    };
    Ok(pgq.create_encoded_schedule(&new).await?)
}

fn change(
    rule: Option<String>,
    job: Option<ScheduledJob>,
    options: Options,
) -> Result<ScheduleChange, Failure> {
    let Options {
        tz,
        missed,
        overlap,
    } = options;
    let is_nothing = rule.is_none() && tz.is_none() && missed.is_none() && overlap.is_none();
    if is_nothing && job.is_none() {
        return Err(Failure::usage(
            "nothing is given to change; add `--rule`, `--arguments`, `--tz`, `--missed` or \
             `--overlap`",
        ));
    }
    let mut change = ScheduleChange::new();
    if let Some(job) = job {
        change = change.scheduled_job(job);
    }
    if let Some(rule) = rule {
        change = change.rule(rule);
    }
    if let Some(zone) = tz {
        change = change.zone(zone);
    }
    if let Some(missed) = missed {
        change = change.missed(missed);
    }
    if let Some(overlap) = overlap {
        change = change.overlap(overlap);
    }
    Ok(change)
}
