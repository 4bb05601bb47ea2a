//! `durability`: what of the queue outlasts a crash of the server.

use std::fmt;

use clap::{Args, ValueEnum};
use pgqueuer::{Durability, PgQueuer, TableRecord};
use serde::Serialize;

use crate::{exit::Failure, output::Output, progress::Bar, table};

/// Shows or changes what of the queue outlasts a crash of the server: logged or unlogged tables.
///
/// An unlogged table is written faster, and empty after a crash of the server or its machine; an orderly restart
/// keeps it. Standbys have none of it, so that it is empty after a failover, too. A change keeps all rows, both
/// ways. It writes each table anew, which is locked meanwhile: workers and producers wait.
#[derive(Debug, Args)]
pub(crate) struct DurabilityArgs {
    /// What it is to be; without it, what it is.
    #[arg(value_enum, value_name = "MODE")]
    mode: Option<Mode>,
    /// Really do it, though something may be lost from then on.
    #[arg(long, requires = "mode")]
    yes: bool,
    /// Only list the tables that would be changed.
    #[arg(long, requires = "mode")]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// A crash loses the jobs and the history.
    Volatile,
    /// A crash loses the history, with results; no job.
    Balanced,
    /// A crash loses nothing (the default).
    Durable,
}

impl Mode {
    fn of_library(self) -> Durability {
        match self {
            Self::Volatile => Durability::Volatile,
            Self::Balanced => Durability::Balanced,
            Self::Durable => Durability::Durable,
        }
    }
}

pub(super) async fn run(
    pgq: &PgQueuer,
    args: DurabilityArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    // A database without the schema says so best by itself.
    pgq.verify().await?;
    let tables = pgq.list_tables().await?;
    let Some(mode) = args.mode.map(Mode::of_library) else {
        return output.result(&State::of(tables));
    };
    let wrong = tables
        .iter()
        .filter(|it| mode.loses(&it.name) == it.is_logged);
    let names: Vec<String> = wrong.clone().map(|it| it.name.clone()).collect();
    if args.dry_run {
        return output.result(&Changed {
            durability: mode,
            changed: names,
            is_done: false,
        });
    }
    let endangers = wrong.clone().any(|it| it.is_logged);
    if endangers && !args.yes {
        return Err(Failure::refused(format!(
            "{}; {} would be written anew, while workers wait; add --yes to do it, or --dry-run to see them",
            losses(mode),
            Tables(names.len()),
        )));
    }
    let bar = Bar::new("write tables anew", names.len() as u64);
    let mut changed = Vec::new();
    while let Some(name) = bar.watch(pgq.change_durability(mode)).await? {
        bar.add(1);
        changed.push(name);
    }
    output.result(&Changed {
        durability: mode,
        changed,
        is_done: true,
    })
}

fn losses(durability: Durability) -> &'static str {
    match durability {
        Durability::Volatile => {
            "a crash of the server, or a failover, would lose all jobs and the history"
        }
        Durability::Balanced => {
            "a crash of the server, or a failover, would lose the history, with results"
        }
        Durability::Durable => "a crash of the server loses nothing",
    }
}

/// So many, in words.
struct Tables(usize);

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 table"),
            tables => write!(f, "{tables} tables"),
        }
    }
}

#[derive(Serialize)]
struct State {
    /// Null if the tables are of several minds.
    durability: Option<Durability>,
    unlogged: Vec<String>,
}

impl State {
    fn of(tables: Vec<TableRecord>) -> Self {
        Self {
            durability: Durability::of(&tables),
            unlogged: tables
                .into_iter()
                .filter(|it| !it.is_logged)
                .map(|it| it.name)
                .collect(),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.durability.map(|it| format!("{it}: {}", losses(it)));
        let unclear = "neither volatile nor balanced nor durable: say which it is to be";
        f.write_str(known.as_deref().unwrap_or(unclear))?;
        match self.unlogged.is_empty() {
            true => Ok(()),
            false => write!(f, "\nunlogged: {}", self.unlogged.join(", ")),
        }
    }
}

#[derive(Serialize)]
struct Changed {
    durability: Durability,
    changed: Vec<String>,
    #[serde(rename = "done")]
    is_done: bool,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            durability,
            changed,
            is_done,
        } = self;
        if changed.is_empty() {
            return write!(f, "the queue is {durability} already");
        }
        let becomes = |name: &String| match durability.loses(name) {
            true => "unlogged",
            false => "logged",
        };
        let row = |name: &String| vec![name.clone(), becomes(name).to_owned()];
        let rows: Vec<Vec<String>> = changed.iter().map(row).collect();
        writeln!(f, "{}", table::render(&["table", "becomes"], &rows))?;
        match is_done {
            true => write!(f, "the queue is {durability} now"),
            false => write!(f, "this would change {}", Tables(changed.len())),
        }
    }
}
