//! Doing something to many jobs, once it is clear that they are meant.

use std::fmt;

use pgqueuer::{
    Cancelled, Edit, JobFilter, JobId, JobState, Meant, Payload, PgQueuer, Requeue, Requeued,
    store::Step,
};
use serde::Serialize;

use super::which::Sure;
use crate::{
    catalog::Catalog,
    commands::enqueue::{UNCHECKED, check_arguments, payload},
    exit::Failure,
    output::Output,
    progress::{Bar, watch},
    table,
};

/// So many jobs are changed in one statement, so that none holds locks for long.
const BATCH: u32 = 1000;

/// What is to be done, and to which jobs.
pub(super) struct Change {
    pub(super) filter: JobFilter,
    pub(super) names_each: bool,
    pub(super) what: What,
    /// The new arguments, to be checked.
    pub(super) arguments: Option<Arguments>,
}

/// What is to be done.
pub(super) enum What {
    Cancel(String),
    Requeue(Requeue),
    Discard,
    Edit(Edit),
}

/// Other arguments than a job had.
pub(super) struct Arguments {
    pub(super) payload: Payload,
    unchecked: bool,
}

impl Arguments {
    pub(super) fn read(text: &str, unchecked: bool) -> Result<Self, Failure> {
        let payload = payload(text)?;
        Ok(Self { payload, unchecked })
    }

    /// Refuses those that one of these jobs could not be run with.
    async fn check(
        &self,
        pgq: &PgQueuer,
        built_in: Option<Catalog>,
        meant: &[Meant],
    ) -> Result<(), Failure> {
        if self.unchecked {
            return Ok(());
        }
        let catalog = match built_in {
            Some(catalog) => catalog,
            None => Catalog::published(pgq).await?,
        };
        for Meant { kind, .. } in meant {
            check_arguments(catalog.expect_kind(kind)?, &self.payload, UNCHECKED)?;
        }
        Ok(())
    }
}

impl What {
    fn verb(&self) -> &'static str {
        match self {
            Self::Cancel(_) => "cancel",
            Self::Requeue(_) => "requeue",
            Self::Discard => "discard",
            Self::Edit(_) => "edit",
        }
    }

    fn nothing_done(&self) -> Done {
        match self {
            Self::Cancel(_) => Done::Cancelled(Cancelled::default()),
            Self::Requeue(_) => Done::Requeued(Requeued::default()),
            Self::Discard => Done::Discarded { discarded: 0 },
            Self::Edit(_) => Done::Edited { edited: 0 },
        }
    }

    /// The states of jobs to which it can be done.
    fn states(&self) -> &'static [JobState] {
        use JobState::{Available, Held, Running, Scheduled};
        match self {
            Self::Cancel(_) => &[Scheduled, Available, Running, Held],
            Self::Requeue(_) => &[Held, Scheduled],
            Self::Discard => &[Held],
            Self::Edit(edit) if edit.moves() => &[Scheduled],
            Self::Edit(_) => &[Held, Scheduled],
        }
    }
}

impl Change {
    pub(super) async fn run(
        self,
        pgq: &PgQueuer,
        built_in: Option<Catalog>,
        sure: &Sure,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let verb = self.what.verb();
        let states = self.what.states();
        let mut meant = watch("count jobs", pgq.count_meant(&self.filter)).await?;
        meant.retain(|it| states.contains(&it.state));
        let jobs = meant.iter().map(|it| it.jobs).sum();
        if let Some(arguments) = &self.arguments {
            arguments.check(pgq, built_in, &meant).await?;
        }
        if sure.dry_run {
            return output.result(&DryRun { verb, jobs, meant });
        }
        if jobs == 0 && self.names_each {
            let states: Vec<&str> = states.iter().map(|it| it.as_str()).collect();
            return Err(Failure::refused(format!(
                "there is no such job to {verb}: none that is {}",
                states.join(" or ")
            )));
        }
        let is_sure = sure.yes || self.names_each;
        if jobs == 0 && !is_sure {
            // Some may have come since they were counted.
            return output.result(&self.what.nothing_done());
        }
        if !is_sure {
            return Err(Failure::refused(format!(
                "this would {verb} {}; add --yes to do it, or --dry-run to see of which kinds",
                Jobs(jobs)
            )));
        }
        let bar = Bar::new(&format!("{verb} jobs"), jobs);
        output.result(&self.carry_out(pgq, &bar).await?)
    }

    async fn carry_out(&self, pgq: &PgQueuer, bar: &Bar) -> Result<Done, Failure> {
        let (store, filter) = (pgq.store(), &self.filter);
        Ok(match &self.what {
            What::Cancel(reason) => {
                let mut total = Cancelled::default();
                in_steps(
                    async |above| store.cancel(filter, reason, above, BATCH).await,
                    |done| {
                        total.waiting += done.waiting;
                        total.running += done.running;
                        bar.add(done.waiting + done.running);
                    },
                )
                .await?;
                Done::Cancelled(total)
            }
            What::Requeue(how) => {
                let mut total = Requeued::default();
                in_steps(
                    async |above| store.requeue(filter, how, above, BATCH).await,
                    |done| {
                        total.requeued += done.requeued;
                        total.refused += done.refused;
                        bar.add(done.requeued + done.refused);
                    },
                )
                .await?;
                Done::Requeued(total)
            }
            What::Discard => {
                let mut discarded = 0;
                in_steps(
                    async |above| store.discard(filter, above, BATCH).await,
                    |done| {
                        discarded += done;
                        bar.add(done);
                    },
                )
                .await?;
                Done::Discarded { discarded }
            }
            What::Edit(edit) => {
                let mut edited = 0;
                in_steps(
                    async |above| store.edit(filter, edit, above, BATCH).await,
                    |done| {
                        edited += done;
                        bar.add(done);
                    },
                )
                .await?;
                Done::Edited { edited }
            }
        })
    }
}

/// Takes steps until there is nothing left to do.
async fn in_steps<T>(
    mut step: impl AsyncFnMut(JobId) -> pgqueuer::Result<Step<T>>,
    mut count: impl FnMut(T),
) -> Result<(), Failure> {
    let mut above = JobId::from(i64::MIN);
    loop {
        let Step { done, last } = step(above).await?;
        count(done);
        match last {
            Some(last) => above = last,
            None => return Ok(()),
        }
    }
}

/// So many, in words.
struct Jobs(u64);

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 job"),
            jobs => write!(f, "{jobs} jobs"),
        }
    }
}

/// What would be done.
#[derive(Serialize)]
struct DryRun {
    #[serde(rename = "would")]
    verb: &'static str,
    jobs: u64,
    #[serde(rename = "of")]
    meant: Vec<Meant>,
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.jobs > 0 {
            let row = |it: &Meant| vec![it.kind.clone(), it.state.to_string(), it.jobs.to_string()];
            let rows: Vec<Vec<String>> = self.meant.iter().map(row).collect();
            writeln!(f, "{}", table::render(&["kind", "state", "jobs"], &rows))?;
        }
        write!(f, "this would {} {}", self.verb, Jobs(self.jobs))
    }
}

/// What was done.
#[derive(Serialize)]
#[serde(untagged)]
pub(in crate::commands) enum Done {
    Cancelled(Cancelled),
    Requeued(Requeued),
    Discarded { discarded: u64 },
    Edited { edited: u64 },
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
            Self::Edited { edited } => write!(f, "edited {edited}"),
        }
    }
}
