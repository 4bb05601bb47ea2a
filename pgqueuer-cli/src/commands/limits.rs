//! `limits`: how many jobs run at once, and how many begin in a time, on all workers together.

use std::{fmt, str::FromStr};

use clap::{Args, Subcommand};
use pgqueuer::{LimitRecord, Limits, PgQueuer, Rate, Scope, SetLimit};
use serde::Serialize;

use crate::{catalog::Catalog, exit::Failure, output::Output, table};

/// Lists what is limited or paused, or sets limits while workers run.
#[derive(Debug, Args)]
pub(crate) struct LimitsArgs {
    #[command(subcommand)]
    command: Option<LimitsCommand>,
}

#[derive(Debug, Subcommand)]
enum LimitsCommand {
    /// Lists what is limited or paused (the default).
    List,
    /// Sets limits instead of what the code says, on all workers, within a second.
    ///
    /// What is not named here stays as it is. They hold until they are set again or reset, whatever
    /// is deployed.
    Set(SetArgs),
    /// Lets the limits of the code hold again.
    Reset(ScopeArgs),
}

#[derive(Debug, Args)]
#[group(id = "scope", required = true, multiple = false)]
struct ScopeArgs {
    /// The jobs of this kind.
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,

    /// The jobs of this queue.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
}

#[derive(Debug, Args)]
struct SetArgs {
    #[command(flatten)]
    scope: ScopeArgs,

    /// So many run at once, or `none`.
    #[arg(long, value_name = "NUMBER")]
    concurrency: Option<Setting<u32>>,

    /// So many of each key run at once, or `none`.
    #[arg(long, value_name = "NUMBER")]
    concurrency_per_key: Option<Setting<u32>>,

    /// So many begin in a time, as `100/s` or `10/min burst 5`; or `none`.
    #[arg(long, value_name = "RATE")]
    rate: Option<Setting<Rate>>,

    /// So many of each key begin in a time; or `none`.
    #[arg(long, value_name = "RATE")]
    rate_per_key: Option<Setting<Rate>>,
}

/// A limit, or `none`.
#[derive(Clone, Copy, Debug)]
struct Setting<T>(Option<T>);

impl<T: FromStr> FromStr for Setting<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|it| Self(Some(it))),
        }
    }
}

pub(crate) async fn run(
    pgq: &PgQueuer,
    args: LimitsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match args.command.unwrap_or(LimitsCommand::List) {
        LimitsCommand::List => output.result(&List::of(pgq.list_limits().await?, None)),
        LimitsCommand::Set(args) => set(pgq, args, output).await,
        LimitsCommand::Reset(scope) => {
            let scope = scope.find(pgq).await?;
            pgq.reset_limits(&scope).await?;
            show(pgq, &scope, output).await
        }
    }
}

async fn set(pgq: &PgQueuer, args: SetArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let scope = args.scope.find(pgq).await?;
    let limits: Vec<SetLimit> = [
        args.concurrency.map(|it| SetLimit::Concurrency(it.0)),
        args.concurrency_per_key
            .map(|it| SetLimit::ConcurrencyPerKey(it.0)),
        args.rate.map(|it| SetLimit::Rate(it.0)),
        args.rate_per_key.map(|it| SetLimit::RatePerKey(it.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if limits.is_empty() {
        return Err(Failure::usage(
            "no limit is given; add `--concurrency 5`, `--rate 100/s` or another",
        ));
    }
    pgq.set_limits(&scope, &limits).await?;
    show(pgq, &scope, output).await
}

/// What holds now.
async fn show(pgq: &PgQueuer, scope: &Scope, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut records = pgq.list_limits().await?;
    records.retain(|it| it.scope == *scope);
    output.result(&List::of(records, Some(scope)))
}

impl ScopeArgs {
    /// An alias stands for its kind.
    async fn find(self, pgq: &PgQueuer) -> Result<Scope, Failure> {
        let catalog = Catalog::published(pgq).await?;
        if let Some(kind) = self.kind {
            let job = catalog.expect_kind(&kind)?;
            return Ok(Scope::Kind(job.job.clone()));
        }
        let queue = self.queue.unwrap_or_default();
        catalog.expect_queue(&queue)?;
        Ok(Scope::Queue(queue))
    }
}

/// The records, as a table or as JSON.
#[derive(Serialize)]
#[serde(transparent)]
struct List {
    rows: Vec<Row>,
    /// What was asked for.
    #[serde(skip)]
    of: Option<String>,
}

/// Rates as people write them.
#[derive(Serialize)]
struct Row {
    scope: &'static str,
    name: String,
    concurrency: Option<u32>,
    concurrency_per_key: Option<u32>,
    rate: Option<String>,
    rate_per_key: Option<String>,
    /// Whether the code says something else.
    set: bool,
    paused_at: Option<String>,
}

impl List {
    fn of(records: Vec<LimitRecord>, scope: Option<&Scope>) -> Self {
        Self {
            rows: records.into_iter().map(Row::from).collect(),
            of: scope.map(Scope::to_string),
        }
    }
}

impl From<LimitRecord> for Row {
    fn from(record: LimitRecord) -> Self {
        let (scope, name) = match record.scope {
            Scope::Everything => ("everything", String::new()),
            Scope::Queue(name) => ("queue", name),
            Scope::Kind(name) => ("kind", name),
        };
        let Limits {
            concurrency,
            concurrency_per_key,
            rate,
            rate_per_key,
        } = record.limits;
        Self {
            scope,
            name,
            concurrency,
            concurrency_per_key,
            rate: rate.map(|it| it.to_string()),
            rate_per_key: rate_per_key.map(|it| it.to_string()),
            set: record.limits != record.of_code,
            paused_at: record.paused_at.map(|it| it.to_rfc3339()),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            _ if !self.rows.is_empty() => {}
            None => return f.write_str("nothing is limited, and nothing is paused"),
            Some(scope) => return write!(f, "{scope} has no limits"),
        }
        let number = |it: Option<u32>| it.map(|it| it.to_string()).unwrap_or_default();
        let row = |it: &Row| {
            vec![
                it.scope.to_owned(),
                it.name.clone(),
                number(it.concurrency),
                number(it.concurrency_per_key),
                it.rate.clone().unwrap_or_default(),
                it.rate_per_key.clone().unwrap_or_default(),
                if it.set { "set by hand" } else { "" }.to_owned(),
                it.paused_at.clone().unwrap_or_default(),
            ]
        };
        let titles = [
            "scope",
            "name",
            "at once",
            "per key",
            "rate",
            "rate per key",
            "origin",
            "paused since",
        ];
        let rows: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        f.write_str(&table::render(&titles, &rows))
    }
}
