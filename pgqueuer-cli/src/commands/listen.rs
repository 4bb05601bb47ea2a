//! `listen`: what is said on the channels of the queue, as it is said.

use std::{fmt, pin::pin, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use pgqueuer::{
    PgQueuer,
    store::{News, Ring},
};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::{
    catalog::Catalog,
    exit::Failure,
    output::{Output, note},
};

/// Prints what is said on the channels of the queue until Ctrl+C: that there is work, and which jobs have ended.
///
/// Producers ring only while some worker sleeps, and ends are told only of kinds that somebody waits for:
/// `--kind` waits, too, at the price of a notification for each of its jobs.
#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Be told of the ends of this kind's jobs; may be repeated.
    #[arg(long = "kind", value_name = "NAME")]
    kinds: Vec<String>,
    /// Stop after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// For how long one is told of ends, and how often that is asked for anew.
const LASTS: Duration = Duration::from_secs(60);
const RENEW_EVERY: Duration = Duration::from_secs(20);

pub(super) async fn run(
    pgq: &PgQueuer,
    args: ListenArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let catalog = Catalog::published(pgq).await?;
    for kind in &args.kinds {
        catalog.expect_kind(kind)?;
    }
    let store = pgq.store();
    let mut bell = store.bell().await?;
    let mut herald = store.herald().await?;
    let mut watcher = None;
    if !args.kinds.is_empty() {
        watcher = Some(store.await_kinds(None, &args.kinds, LASTS).await?);
    }
    let mut renewal = interval_at(Instant::now() + RENEW_EVERY, RENEW_EVERY);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    // Heard from the first poll on.
    tokio::select! {
        biased;
        _ = &mut interrupted => return Ok(()),
        () = std::future::ready(()) => {}
    }
    note("listening; Ctrl+C ends it");
    while left > 0 {
        let said = tokio::select! {
            ring = bell.rung() => vec![Said::of_bell(ring)],
            news = herald.heard() => Said::of_herald(news),
            _ = renewal.tick(), if !args.kinds.is_empty() => {
                let renewal = store.await_kinds(watcher, &args.kinds, LASTS);
                tokio::select! {
                    // As what listens, it outlives a database that is away.
                    renewed = timeout(RENEW_EVERY, renewal) => match renewed {
                        Ok(Ok(renewed)) => watcher = Some(renewed),
                        Ok(Err(error)) => note(format!("failed to ask for the ends of jobs: {error}")),
                        Err(_) => note("the database does not answer"),
                    },
                    _ = &mut interrupted => return Ok(()),
                }
                continue;
            }
            _ = &mut interrupted => return Ok(()),
        };
        for it in said {
            if !output.line(&it)? {
                return Ok(());
            }
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

/// What was said, and what it means.
#[derive(Serialize)]
struct Said {
    heard_at: DateTime<Utc>,
    channel: &'static str,
    job: Option<i64>,
    meaning: &'static str,
}

impl Said {
    fn of_bell(ring: Ring) -> Self {
        let meaning = match ring {
            Ring::Available => "there is work",
            Ring::Scheduled => "something was scheduled",
            Ring::Cancelled => "a job that runs is to be cancelled",
            Ring::Anything => {
                "look at everything: a new kind or priority, a schedule, or several at once"
            }
        };
        Self::on("bell", meaning)
    }

    fn of_herald(news: News) -> Vec<Self> {
        match news {
            News::Ended(ids) => {
                let end = |id: pgqueuer::JobId| Self {
                    job: Some(id.as_i64()),
                    ..Self::on("ends", "the job has ended, or is held")
                };
                ids.into_iter().map(end).collect()
            }
            News::Anything => vec![Self::on(
                "ends",
                "the connection was lost; some ends may have been missed",
            )],
        }
    }

    fn on(channel: &'static str, meaning: &'static str) -> Self {
        Self {
            heard_at: Utc::now(),
            channel,
            job: None,
            meaning,
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.heard_at.format("%H:%M:%S%.3f");
        write!(f, "{time} {}", self.channel)?;
        if let Some(id) = self.job {
            write!(f, " {id}")?;
        }
        write!(f, ": {}", self.meaning)
    }
}
