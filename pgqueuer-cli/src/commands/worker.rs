//! `worker`: runs jobs. The command that a program with jobs runs by default.

use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

use clap::Parser;
use pgqueuer::{Report, Worker};
use serde::Serialize;

use super::install::install;
use crate::{
    app::App,
    cli::GlobalArgs,
    connection::{Database, IfRefused},
    exit::Failure,
    metrics_server::{MetricsServer, TokenArgs},
    output::{Output, note},
    table,
};

/// Runs jobs until SIGINT or SIGTERM (the default command).
///
/// Then takes no more jobs, and gives those that run the time to finish. A second signal
/// does not wait.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    /// How many jobs run at a time [default: 100, or what the program sets].
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,

    /// Run only this queue; repeat it for several. With =N, at most N of its jobs at a time.
    #[arg(long = "queue", value_name = "NAME[=N]")]
    queues: Vec<Queue>,

    /// End when nothing is left to run now, rather than at a signal.
    #[arg(long)]
    drain: bool,

    /// Create the schema, or bring it up to date, before anything else.
    #[arg(long)]
    install: bool,

    /// Do not use LISTEN, which no pooler lets through; look every second.
    #[arg(long)]
    no_listen: bool,

    /// How long running jobs may take to finish after a signal: 25s, 2m [default: 25s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,

    /// What this worker is called in logs and in the database [default: host:process].
    #[arg(long)]
    name: Option<String>,

    /// Serve metrics for Prometheus at this address, under /metrics: 127.0.0.1:9464. With port 0,
    /// at any that is free.
    #[arg(long, env = "PGQUEUER_METRICS", value_name = "ADDRESS")]
    metrics: Option<String>,

    #[command(flatten)]
    token: TokenArgs,
}

impl WorkerArgs {
    /// Where no command is given, and so no option.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            args: WorkerArgs,
        }
        Ok(Alone::try_parse_from(["worker"])?.args)
    }
}

pub(crate) async fn run(
    global: &GlobalArgs,
    app: App,
    args: WorkerArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let database = Database::find(global)?;
    // Before connecting: what is wrong with the program is wrong with any database.
    let worker = build(app, &args, &database)?;
    note(Jobs(&worker));
    let metrics = match args.metrics.as_deref() {
        // As with the database, a variable that is empty is none.
        None | Some("") => None,
        Some(address) => Some(MetricsServer::bind(address, args.token).await?),
    };

    let pgq = database.queue().clone();
    let running = async {
        let pgq = database.connect(IfRefused::TryAgain).await?;
        if args.install {
            note(install(&pgq, global).await?);
        }
        let ended = if args.drain {
            worker.drain().await
        } else {
            worker.run().await
        };
        Ok::<Report, Failure>(ended?)
    };
    let ended = match metrics {
        // Who asks while the database is away gets an answer.
        Some(server) => server.serve_while(&pgq, running).await?,
        None => running.await,
    };
    pgq.close().await;
    output.result(&Ended(ended?))
}

/// The worker as the program wants it, then as the command line does.
fn build(app: App, args: &WorkerArgs, database: &Database) -> Result<Worker, Failure> {
    let mut builder = app.builder(database.queue()).configure(|config| {
        if let Some(concurrency) = args.concurrency {
            config.concurrency = concurrency.get();
        }
        if let Some(grace) = args.grace {
            config.shutdown_grace = grace;
        }
        if let Some(name) = &args.name {
            config.name.clone_from(name);
        }
        config.listen &= !args.no_listen;
    });
    for queue in &args.queues {
        if let Some(bound) = queue.bound {
            builder = builder.queue(queue.name.as_str(), bound.get());
        }
    }
    let names = args.queues.iter().map(|it| it.name.as_str());
    Ok(builder.only_queues(names).build()?)
}

/// A queue as the command line has it: `mail` or `mail=5`.
#[derive(Clone, Debug)]
struct Queue {
    name: String,
    bound: Option<NonZeroUsize>,
}

impl FromStr for Queue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, bound)) = text.split_once('=') else {
            return Ok(Self {
                name: text.to_owned(),
                bound: None,
            });
        };
        match bound.parse() {
            Ok(bound) => Ok(Self {
                name: name.to_owned(),
                bound: Some(bound),
            }),
            Err(_) => Err(format!("`{bound}` is not a number of jobs, from 1")),
        }
    }
}

/// The jobs of a worker, in few columns: this is read at each start.
struct Jobs<'a>(&'a Worker);

impl fmt::Display for Jobs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |job: &pgqueuer::JobDescriptor| {
            let schedule = job.schedule().map(|it| it.to_string());
            vec![
                job.kind.to_owned(),
                job.options.queue.to_owned(),
                schedule.unwrap_or_default(),
                job.source.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = self.0.jobs().map(row).collect();
        f.write_str(&table::render(
            &["job", "queue", "schedule", "source"],
            &rows,
        ))
    }
}

/// What a worker did in its life.
#[derive(Serialize)]
#[serde(transparent)]
struct Ended(Report);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} completed", self.0.completed)?;
        let others = [
            (self.0.retried, "retried"),
            (self.0.held, "held"),
            (self.0.discarded, "discarded"),
            (self.0.cancelled, "cancelled"),
            (self.0.snoozed, "snoozed"),
            (self.0.given_back, "given back"),
            (self.0.lost, "lost"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}
