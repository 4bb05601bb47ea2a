//! `upgrade`: brings an installed schema up to date.

use pgqueuer::PgQueuer;

use super::install::install;
use crate::{cli::GlobalArgs, exit::Failure, output::Output};

pub(super) async fn run(
    pgq: &PgQueuer,
    global: &GlobalArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    // A wrong schema or database should not get a second queue by accident.
    if pgq.installed_version().await?.is_none() {
        return Err(Failure::schema(format!(
            "schema \"{}\" is not installed in this database; use `install` to create it",
            global.schema
        )));
    }
    output.result(&install(pgq, global).await?)
}
