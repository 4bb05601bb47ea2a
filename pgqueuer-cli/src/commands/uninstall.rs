//! `uninstall`: removes the schema, if that loses nothing or somebody means it.

use std::fmt;

use pgqueuer::{PgQueuer, store::Counts};
use serde::Serialize;

use crate::{cli::GlobalArgs, exit::Failure, output::Output, progress::watch};

/// Removes the schema, with the history of all jobs.
#[derive(Debug, clap::Args)]
pub(crate) struct UninstallArgs {
    /// Really do it. There is no way back.
    #[arg(long)]
    yes: bool,

    /// Also if there are unfinished jobs, which are deleted.
    #[arg(long)]
    delete_jobs: bool,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    global: &GlobalArgs,
    args: &UninstallArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if pgq.installed_version().await?.is_none() {
        return Err(Failure::schema(format!(
            "schema \"{}\" is not installed in this database",
            global.schema
        )));
    }
    let unfinished = Unfinished(watch("count jobs", pgq.count_jobs()).await?);
    if unfinished.total() > 0 && !args.delete_jobs {
        return Err(Failure::refused(format!(
            "schema \"{}\" has {unfinished}; add --delete-jobs to lose them",
            global.schema
        )));
    }
    if !args.yes {
        return Err(Failure::refused(format!(
            "this would remove schema \"{}\" with {unfinished} and all history; \
             add --yes to do it",
            global.schema
        )));
    }
    watch("remove the schema", pgq.uninstall()).await?;
    output.result(&Uninstalled {
        schema: global.schema.to_string(),
        deleted_jobs: unfinished.0,
    })
}

/// Unfinished jobs, for a sentence.
struct Unfinished(Counts);

impl Unfinished {
    fn total(&self) -> u64 {
        let Counts {
            scheduled,
            available,
            running,
            held,
        } = self.0;
        scheduled + available + running + held
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = [
            ("scheduled", self.0.scheduled),
            ("available", self.0.available),
            ("running", self.0.running),
            ("held", self.0.held),
        ];
        let states: Vec<String> = states
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        match self.total() {
            0 => f.write_str("no unfinished jobs"),
            1 => write!(f, "1 unfinished job ({})", states.join(", ")),
            total => write!(f, "{total} unfinished jobs ({})", states.join(", ")),
        }
    }
}

#[derive(Serialize)]
struct Uninstalled {
    schema: String,
    deleted_jobs: Counts,
}

impl fmt::Display for Uninstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schema,
            deleted_jobs,
        } = self;
        write!(
            f,
            "removed schema \"{schema}\" with {}",
            Unfinished(*deleted_jobs)
        )
    }
}
