//! What can be asked for, as clap has it. The doc comments are the help text.

use std::ffi::{OsStr, OsString};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use pgqueuer::SchemaName;

use crate::{
    commands::{
        autovacuum::AutovacuumArgs,
        bench::BenchArgs,
        completions::{CompletionsArgs, ManArgs},
        dashboard::DashboardArgs,
        durability::DurabilityArgs,
        enqueue::EnqueueArgs,
        failed::FailedArgs,
        history::HistoryArgs,
        jobs::JobsArgs,
        limits::LimitsArgs,
        listen::ListenArgs,
        metrics::MetricsArgs,
        pause::{PauseArgs, ResumeArgs},
        schedules::SchedulesArgs,
        stale::StaleArgs,
        uninstall::UninstallArgs,
        worker::WorkerArgs,
    },
    exit::ExitCode,
    output::Format,
};

/// Runs the background jobs of this program, and looks after their queue.
#[derive(Debug, Parser)]
#[command(after_help = ExitCode::HELP)]
pub(crate) struct AppCli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<AppCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    Worker(WorkerArgs),
    #[command(flatten)]
    Common(Command),
}

/// Looks after a queue of background jobs on PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "pgq", version, after_help = ExitCode::HELP)]
pub(crate) struct PgqCli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: PgqCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PgqCommand {
    #[command(flatten)]
    Common(Command),
    // Not there, but worth an explanation.
    #[command(hide = true, disable_help_flag = true)]
    Worker {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _rest: Vec<OsString>,
    },
}

/// The commands that both programs have.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Creates the schema, or brings an older one up to date.
    Install,
    /// Brings an installed schema up to date.
    Upgrade,
    /// Checks that the schema is the one that this program needs.
    Verify,
    Uninstall(UninstallArgs),
    /// Prints the statements of `install`, without connecting.
    Sql,
    /// Lists the kinds of jobs that are known, with their arguments.
    Kinds,
    /// Shows per kind what waits, runs and is held, how old and how fast.
    Backlog,
    /// Shows the workers, and what they are doing.
    Workers,
    Dashboard(DashboardArgs),
    Jobs(Box<JobsArgs>),
    Failed(FailedArgs),
    History(HistoryArgs),
    Stale(StaleArgs),
    Enqueue(EnqueueArgs),
    Limits(LimitsArgs),
    Metrics(MetricsArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Schedules(Box<SchedulesArgs>),
    Listen(ListenArgs),
    Durability(DurabilityArgs),
    Autovacuum(AutovacuumArgs),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// The database, as `postgres://user:password@host:5432/database`.
    ///
    /// Without it, and without the variable, the variables of libpq are used: PGHOST,
    /// PGPORT, PGDATABASE, PGUSER, PGPASSWORD and so on.
    // Not shown with its value, which may hold a password.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) database_url: Option<String>,

    /// The schema that the queue lives in.
    #[arg(
        long,
        global = true,
        env = "PGQUEUER_SCHEMA",
        default_value = "pgqueuer",
        value_name = "NAME",
        value_parser = SchemaName::parse
    )]
    pub(crate) schema: SchemaName,

    /// How results are written: for people, or for programs.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// The definition of the program, by the name that it has: `pgq`, or that of somebody's worker.
pub(crate) fn program(is_app: bool) -> clap::Command {
    if !is_app {
        return PgqCli::command();
    }
    let program = AppCli::command();
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_stem().unwrap_or(OsStr::new("worker"));
    let name = name.to_string_lossy().into_owned();
    program.display_name(name.clone()).bin_name(name)
}

/// Puts in the command `worker` where its options are given without it.
///
/// The global options may come before a command, so the question is what comes after them.
pub(crate) fn with_default_command(mut args: Vec<OsString>) -> Vec<OsString> {
    const GLOBAL: [&str; 3] = ["--database-url", "--schema", "--format"];
    let mut rest = args.iter().skip(1).map(OsString::as_os_str);
    let is_command_missing = loop {
        let Some(text) = rest.next().map(OsStr::to_string_lossy) else {
            break false;
        };
        if GLOBAL.contains(&text.as_ref()) {
            rest.next();
            continue;
        }
        let is_global = GLOBAL
            .iter()
            .any(|it| text.strip_prefix(it).is_some_and(|it| it.starts_with('=')));
        if !is_global {
            break text.starts_with('-') && text != "-h" && text != "--help";
        }
    };
    if is_command_missing {
        args.insert(1, "worker".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        AppCli::command().debug_assert();
        PgqCli::command().debug_assert();
    }

    #[test]
    fn options_of_the_worker_need_no_command() {
        let filled = |line: &str| {
            let args = with_default_command(line.split(' ').map(OsString::from).collect());
            let words: Vec<_> = args.iter().map(|it| it.to_string_lossy()).collect();
            words.join(" ")
        };
        assert_eq!(filled("app"), "app");
        assert_eq!(filled("app --drain"), "app worker --drain");
        assert_eq!(filled("app --schema x"), "app --schema x");
        assert_eq!(filled("app --schema=x kinds"), "app --schema=x kinds");
        assert_eq!(filled("app --schema x kinds"), "app --schema x kinds");
        assert_eq!(filled("app --schema x -q"), "app worker --schema x -q");
        assert_eq!(filled("app --help"), "app --help");
        assert_eq!(filled("app kinds"), "app kinds");
    }
}
