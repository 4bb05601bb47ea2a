//! [`App`]: the commands for a program that has jobs; and `pgq`, for one that has none.

use std::{
    ffi::OsString,
    fmt,
    io::{self, IsTerminal as _, Write},
};

use clap::Parser;
use pgqueuer::{Job, PgQueuer, WorkerBuilder};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{AppCli, AppCommand, Command, GlobalArgs, PgqCli, PgqCommand, with_default_command},
    commands,
    exit::Failure,
    log_fields::ForPeople,
    output::Output,
};

type Setup = Box<dyn FnOnce(WorkerBuilder) -> WorkerBuilder + Send>;

/// A program made of your jobs: a worker, and the commands that look after its queue.
///
/// The jobs made by `#[job]` and `#[schedule]` are there by themselves. Without a command
/// the program is the worker; `--help` tells the others.
///
/// ```no_run
/// use pgqueuer::prelude::*;
///
/// struct Greeting(String);
///
/// #[job]
/// async fn greet(name: String, greeting: State<Greeting>) {
///     println!("{}, {name}!", greeting.0);
/// }
///
/// #[tokio::main]
/// async fn main() -> pgqueuer::Result<()> {
///     pgqueuer_cli::App::new()
///         .state(Greeting("hello".into()))
///         .configure(|worker| worker.queue("default", 10))
///         .run()
///         .await
/// }
/// ```
#[derive(Default)]
#[must_use = "an app does nothing until `run` is awaited"]
pub struct App {
    setup: Vec<Setup>,
}

impl App {
    /// An app with the jobs that are linked into this program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shares a value with all handlers, which take it as `State<T>`. One value for each
    /// type; the last one counts. The pool (`State<PgPool>`) and the queue
    /// (`State<PgQueuer>`) are there without being given.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.configure(|worker| worker.state(value))
    }

    /// Runs jobs of type `J`. Not needed for jobs made by `#[job]`.
    pub fn register<J: Job>(self) -> Self {
        self.configure(WorkerBuilder::register::<J>)
    }

    /// Does anything else to the worker before it starts: settings, queues. Options of the
    /// command line have the last word. Called in the order given, also for commands that
    /// only look at the jobs.
    pub fn configure(
        mut self,
        setup: impl FnOnce(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.setup.push(Box::new(setup));
        self
    }

    /// Does what the command line of this process asks for.
    ///
    /// Logs go to standard error, as `RUST_LOG` has it (default: `info`), unless the program
    /// has set up `tracing` by itself.
    ///
    /// # Errors
    ///
    /// None that is returned: what goes wrong is printed to standard error, and ends the
    /// process with an exit code that is listed in the [crate] documentation.
    pub async fn run(self) -> pgqueuer::Result<()> {
        let args = std::env::args_os();
        match self.run_args(args, &mut io::stdout(), Logging::SetUp).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.exit(),
        }
    }

    /// Does what `args` ask for, and writes the result to `output`: for tests, and for
    /// programs with a command line of their own. The first of `args` is the name of the
    /// program.
    ///
    /// Sets up no logging, and leaves the process running. (The live `dashboard` is not
    /// written there, but drawn where standard output is a terminal; with `--once` it is.)
    ///
    /// # Errors
    ///
    /// Whatever the command fails with.
    pub async fn try_run_from<I, T>(
        self,
        args: I,
        output: &mut (dyn Write + Send),
    ) -> Result<(), Failure>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        self.run_args(args, output, Logging::LeaveAlone).await
    }

    async fn run_args<I, T>(
        self,
        args: I,
        output: &mut (dyn Write + Send),
        logging: Logging,
    ) -> Result<(), Failure>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        let args = with_default_command(args.into_iter().map(Into::into).collect());
        let Some(cli) = parse::<AppCli>(args, output)? else {
            return Ok(());
        };
        let output = &mut Output::new(output, cli.global.format);
        let command = match cli.command {
            Some(command) => command,
            None => AppCommand::Worker(commands::worker::WorkerArgs::from_environment()?),
        };
        match command {
            AppCommand::Worker(args) => {
                logging.start(LevelFilter::INFO);
                commands::worker::run(&cli.global, self, args, output).await
            }
            AppCommand::Common(command) => {
                logging
                    .beside(&command, &cli.global)
                    .start(LevelFilter::WARN);
                commands::run(&cli.global, Some(self), command, output).await
            }
        }
    }

    /// A worker on this queue, set up as the program wants it.
    pub(crate) fn builder(self, pgq: &PgQueuer) -> WorkerBuilder {
        self.setup
            .into_iter()
            .fold(pgq.worker(), |worker, setup| setup(worker))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// The whole program `pgq`.
pub(crate) async fn run_pgq() {
    let args = std::env::args_os().collect();
    if let Err(failure) = try_run_pgq(args, &mut io::stdout()).await {
        failure.exit();
    }
}

async fn try_run_pgq(args: Vec<OsString>, output: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let Some(cli) = parse::<PgqCli>(args, output)? else {
        return Ok(());
    };
    let output = &mut Output::new(output, cli.global.format);
    match cli.command {
        PgqCommand::Common(command) => {
            let logging = Logging::SetUp.beside(&command, &cli.global);
            logging.start(LevelFilter::WARN);
            commands::run(&cli.global, None, command, output).await
        }
        PgqCommand::Worker { .. } => Err(Failure::usage(
            "`pgq` has no jobs to run: the worker is your own program. Write \
             `pgqueuer_cli::App::new().run().await` in its `main`, and start it",
        )),
    }
}

/// Parses the arguments. `None` if they asked for help, which was given.
fn parse<P: Parser>(
    args: Vec<OsString>,
    output: &mut (dyn Write + Send),
) -> Result<Option<P>, Failure> {
    match P::try_parse_from(args) {
        Ok(cli) => Ok(Some(cli)),
        Err(error) if error.use_stderr() => Err(error.into()),
        Err(help) => {
            let text = help.render().to_string();
            Output::new(output, Default::default()).text(&text)?;
            Ok(None)
        }
    }
}

/// As <https://no-color.org> has it: an empty variable is none.
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|it| !it.is_empty())
}

/// Who sets up logging.
#[derive(Clone, Copy, Debug)]
enum Logging {
    SetUp,
    LeaveAlone,
}

impl Logging {
    /// No lines of logs across a dashboard.
    fn beside(self, command: &Command, global: &GlobalArgs) -> Self {
        match command {
            Command::Dashboard(args) if args.is_live(global.format) => Self::LeaveAlone,
            _ => self,
        }
    }

    /// `level` is what `RUST_LOG` replaces.
    fn start(self, level: LevelFilter) {
        if matches!(self, Self::LeaveAlone) {
            return;
        }
        let filter = EnvFilter::builder()
            .with_default_directive(level.into())
            .from_env_lossy();
        // Fails if the program has set up its own, which is then the one to use.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .fmt_fields(ForPeople)
            .with_writer(io::stderr)
            // It would say on standard error that standard error is closed, and panic.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal() && !is_set("NO_COLOR"))
            .try_init();
    }
}
