//! `pause` and `resume`: whether jobs are begun, on all workers.

use std::fmt;

use clap::Args;
use pgqueuer::{PgQueuer, Scope};
use serde::Serialize;

use crate::{catalog::Catalog, exit::Failure, output::Output};

/// Begins no more jobs of a kind or a queue, or none at all, on any worker, within a second.
///
/// Those that run go on, and enqueueing goes on. It lasts until `resume`, whatever is restarted.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Ends a pause. What is paused by itself besides (a kind, if its queue is resumed) stays so.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    scope: ScopeArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ScopeArgs {
    /// The jobs of this kind.
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,

    /// The jobs of this queue.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,

    /// All jobs.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn pause(
    pgq: &PgQueuer,
    args: PauseArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let scope = args.scope.find(pgq).await?;
    let changed = pgq.pause(&scope).await?;
    output.result(&Paused {
        scope,
        paused: true,
        changed,
    })
}

pub(crate) async fn resume(
    pgq: &PgQueuer,
    args: ResumeArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let scope = args.scope.find(pgq).await?;
    let changed = pgq.resume(&scope).await?;
    output.result(&Paused {
        scope,
        paused: false,
        changed,
    })
}

impl ScopeArgs {
    /// Refuses what no worker has published: most likely it is misspelt, and nothing would happen.
    async fn find(self, pgq: &PgQueuer) -> Result<Scope, Failure> {
        let catalog = Catalog::published(pgq).await?;
        if let Some(kind) = self.kind {
            catalog.expect_kind(&kind)?;
            return Ok(Scope::Kind(kind));
        }
        if let Some(queue) = self.queue {
            catalog.expect_queue(&queue)?;
            return Ok(Scope::Queue(queue));
        }
        Ok(Scope::Everything)
    }
}

/// What became of a pause.
#[derive(Serialize)]
pub(super) struct Paused {
    pub(super) scope: Scope,
    pub(super) paused: bool,
    pub(super) changed: bool,
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = &self.scope;
        match (self.paused, self.changed) {
            (true, true) => write!(f, "paused {scope}"),
            (true, false) => write!(f, "{scope} is paused already"),
            (false, true) => write!(f, "resumed {scope}"),
            (false, false) => write!(f, "{scope} is not paused"),
        }
    }
}
