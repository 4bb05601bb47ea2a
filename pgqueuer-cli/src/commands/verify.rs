//! `verify`: checks that the schema is the one that this program needs.

use std::fmt;

use pgqueuer::PgQueuer;
use serde::Serialize;

use crate::{cli::GlobalArgs, exit::Failure, output::Output, progress::watch};

pub(super) async fn run(
    pgq: &PgQueuer,
    global: &GlobalArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    watch("check the schema", pgq.verify()).await?;
    output.result(&Verified {
        schema: global.schema.to_string(),
        version: pgq.installed_version().await?.unwrap_or_default(),
    })
}

#[derive(Serialize)]
struct Verified {
    schema: String,
    version: i32,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, version } = self;
        write!(
            f,
            "schema \"{schema}\" is at version {version}, which is what this program needs"
        )
    }
}
