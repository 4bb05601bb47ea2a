//! One file for each command: its arguments, then what it does.

pub(crate) mod autovacuum;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dashboard;
pub(crate) mod durability;
pub(crate) mod enqueue;
pub(crate) mod failed;
pub(crate) mod history;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod metrics;
pub(crate) mod pause;
pub(crate) mod schedules;
pub(crate) mod stale;
pub(crate) mod uninstall;
pub(crate) mod worker;

mod backlog;
mod install;
mod kinds;
mod sql;
mod upgrade;
mod verify;
mod workers;

use pgqueuer::PgQueuer;

use crate::{
    app::App,
    catalog::Catalog,
    cli::{Command, GlobalArgs, program},
    connection::{Database, IfRefused},
    exit::Failure,
    output::Output,
};

/// Runs a command that needs no types. An `app` makes it know its own jobs.
pub(crate) async fn run(
    global: &GlobalArgs,
    app: Option<App>,
    command: Command,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let connect = async || Database::find(global)?.connect(IfRefused::GiveUp).await;
    match command {
        Command::Install => install::run(&connect().await?, global, output).await,
        Command::Upgrade => upgrade::run(&connect().await?, global, output).await,
        Command::Verify => verify::run(&connect().await?, global, output).await,
        Command::Uninstall(args) => uninstall::run(&connect().await?, global, &args, output).await,
        Command::Sql => sql::run(global, output),
        Command::Kinds => kinds::run(global, app, output).await,
        Command::Backlog => backlog::run(&connect().await?, output).await,
        Command::Workers => workers::run(&connect().await?, output).await,
        Command::Dashboard(args) => {
            let (pgq, built_in) = open(global, app).await?;
            dashboard::run(&pgq, built_in, args, global.format, output).await
        }
        Command::Jobs(args) => {
            let (pgq, built_in) = open(global, app).await?;
            jobs::run(&pgq, built_in, *args, output).await
        }
        Command::Failed(args) => failed::run(&connect().await?, args, output).await,
        Command::History(args) => history::run(&connect().await?, args, output).await,
        Command::Stale(args) => stale::run(&connect().await?, args, output).await,
        Command::Limits(args) => limits::run(&connect().await?, args, output).await,
        Command::Metrics(args) => metrics::run(Database::find(global)?, args, output).await,
        Command::Pause(args) => pause::pause(&connect().await?, args, output).await,
        Command::Resume(args) => pause::resume(&connect().await?, args, output).await,
        Command::Schedules(args) => {
            let (pgq, built_in) = open(global, app).await?;
            schedules::run(&pgq, built_in, *args, output).await
        }
        Command::Listen(args) => listen::run(&connect().await?, args, output).await,
        Command::Durability(args) => durability::run(&connect().await?, args, output).await,
        Command::Autovacuum(args) => match args.print(global, output) {
            Some(printed) => printed,
            None => autovacuum::run(&connect().await?, args, output).await,
        },
        Command::Completions(args) => {
            completions::completions(&args, program(app.is_some()), output)
        }
        Command::Man(args) => completions::man(&args, program(app.is_some()), output),
        Command::Bench(args) => bench::run(&connect().await?, args, output).await,
        Command::Enqueue(args) => enqueue::run(global, app, args, output).await,
    }
}

/// The queue, and the jobs that the program has itself.
async fn open(
    global: &GlobalArgs,
    app: Option<App>,
) -> Result<(PgQueuer, Option<Catalog>), Failure> {
    let database = Database::find(global)?;
    let built_in = app.map(|app| Catalog::built_in(app, database.queue()));
    let built_in = built_in.transpose()?;
    Ok((database.connect(IfRefused::GiveUp).await?, built_in))
}
