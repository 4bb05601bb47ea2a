//! `install`: creates the schema, or brings it up to date.

use std::fmt;

use pgqueuer::PgQueuer;
use serde::Serialize;

use crate::{cli::GlobalArgs, exit::Failure, output::Output, progress::watch};

pub(super) async fn run(
    pgq: &PgQueuer,
    global: &GlobalArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    output.result(&install(pgq, global).await?)
}

/// What an installation did.
#[derive(Serialize)]
pub(super) struct Installed {
    schema: String,
    /// The version before; `None` if there was none.
    from: Option<i32>,
    /// The version now.
    to: Option<i32>,
}

pub(super) async fn install(pgq: &PgQueuer, global: &GlobalArgs) -> Result<Installed, Failure> {
    let before = pgq.installed_version().await?;
    let applied = watch("install the schema", pgq.install()).await?;
    // Another installer may have come between the two questions. What was applied is ours.
    let from = match applied.first() {
        Some(first) => Some(first - 1).filter(|it| *it > 0),
        None => before.or(pgq.installed_version().await?),
    };
    Ok(Installed {
        schema: global.schema.to_string(),
        from,
        to: applied.last().copied().or(from),
    })
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, from, to } = self;
        let to = to.unwrap_or_default();
        match from {
            None => write!(f, "installed schema \"{schema}\" at version {to}"),
            Some(from) if *from == to => {
                write!(f, "schema \"{schema}\" is at version {to} already")
            }
            Some(from) => {
                write!(
                    f,
                    "upgraded schema \"{schema}\" from version {from} to {to}"
                )
            }
        }
    }
}
