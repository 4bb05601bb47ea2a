//! `autovacuum`: how the tables of the queue are vacuumed.

use std::fmt;

use clap::{Args, ValueEnum};
use pgqueuer::{Autovacuum, PgQueuer, TableRecord, autovacuum_sql};
use serde::Serialize;

use crate::{cli::GlobalArgs, exit::Failure, output::Output, progress::watch, table};

/// Shows or changes how the tables of the queue are vacuumed by the server.
#[derive(Debug, Args)]
pub(crate) struct AutovacuumArgs {
    /// What it is to be; without it, what it is.
    #[arg(value_enum, value_name = "SETTINGS")]
    settings: Option<Settings>,
    /// Only print the statements, without connecting.
    #[arg(long, requires = "settings")]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Settings {
    /// For a queue that is busy for long: early, and without pauses.
    Recommended,
    /// As the schema is installed.
    #[value(alias = "reset")]
    Default,
}

impl AutovacuumArgs {
    /// The statements, if they are only to be printed.
    pub(super) fn print(
        &self,
        global: &GlobalArgs,
        output: &mut Output<'_>,
    ) -> Option<Result<(), Failure>> {
        let settings = self.settings.filter(|_| self.dry_run)?;
        Some(output.result(&Statements {
            sql: autovacuum_sql(&global.schema, settings.of_library()),
        }))
    }
}

pub(super) async fn run(
    pgq: &PgQueuer,
    args: AutovacuumArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    // A database without the schema says so best by itself.
    pgq.verify().await?;
    if let Some(settings) = args.settings {
        let change = pgq.set_autovacuum(settings.of_library());
        watch("change the tables", change).await?;
    }
    output.result(&List(pgq.list_tables().await?))
}

impl Settings {
    fn of_library(self) -> Autovacuum {
        match self {
            Self::Recommended => Autovacuum::Recommended,
            Self::Default => Autovacuum::Default,
        }
    }
}

#[derive(Serialize)]
struct Statements {
    sql: String,
}

impl fmt::Display for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<TableRecord>);

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |it: &TableRecord| {
            // How full a page is filled has nothing to do with it.
            let settings = it.settings.iter().filter(|it| it.contains("vacuum"));
            let settings: Vec<String> = settings.map(|it| it.replace("autovacuum_", "")).collect();
            vec![
                it.name.clone(),
                size(it.bytes),
                it.dead_rows.to_string(),
                it.vacuumed_at
                    .map(|it| it.format("%Y-%m-%d %H:%M:%S").to_string())
                    .unwrap_or_default(),
                settings.join(", "),
            ]
        };
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        let titles = ["table", "size", "dead rows", "vacuumed (UTC)", "settings"];
        f.write_str(&table::render(&titles, &rows))
    }
}

fn size(bytes: i64) -> String {
    match bytes / 1024 {
        kib @ 0..10_240 => format!("{kib} KiB"),
        kib => format!("{} MiB", kib / 1024),
    }
}
