//! `kinds`: lists what is known. A program with jobs of its own needs no database for it.

use crate::{
    app::App,
    catalog::Catalog,
    cli::GlobalArgs,
    connection::{Database, IfRefused},
    exit::Failure,
    output::Output,
};

pub(super) async fn run(
    global: &GlobalArgs,
    app: Option<App>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let catalog = match app {
        Some(app) => Catalog::built_in(app, Database::none(global).queue())?,
        None => {
            let pgq = Database::find(global)?.connect(IfRefused::GiveUp).await?;
            Catalog::published(&pgq).await?
        }
    };
    output.result(&catalog)
}
