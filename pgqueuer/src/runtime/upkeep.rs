//! Upkeep: what every worker does for the queue, whoever's jobs they are.
//!
//! No leader is elected. Each step takes rows with `SKIP LOCKED`, so that workers which do it
//! at the same time share the work instead of repeating it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    LONGEST_CALL, Patience, SHORT_CALL, in_time, meters::Meters, session::Sessions, spread,
    wakeups::Wakeups,
};
use crate::{
    config::WorkerConfig,
    error::{Chain, Error, Result},
    hook::{Event, Hooks},
    store::Store,
    telemetry,
};

/// How long a rescue may take: it reads the whole table.
const LONGEST_RESCUE: Duration = Duration::from_secs(600);
/// How often to look for leases that have run out; more often if the lease is short. This is what
/// a crash costs besides the lease. The look reads the table of sessions, which is small.
const RESCUE_EVERY: Duration = Duration::from_secs(1);
/// How many jobs become available in one statement.
const PROMOTE: u32 = 1000;
/// How many records are deleted in one statement: short enough not to be in the way.
const BATCH: u32 = 5000;
/// How often the history is tended, and expired records are looked for. Guess: it is no hurry.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// How long the minutes are kept.
const KEEP_MINUTES: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often jobs are looked for that claims have passed by, nearly always for nothing: who
/// noticed a claim that failed has looked already. It reads dead index entries, which may be many
/// millions while an old snapshot keeps vacuum from removing them, so it takes its time: a
/// thousandth of it.
const REQUEUE_EVERY: Duration = Duration::from_secs(30);
const REQUEUE_SHARE: u32 = 1000;
const REQUEUE_AT_LEAST_EVERY: Duration = Duration::from_secs(600);
/// How often the counts are folded, if there is anything to fold; and how much at a time.
const FOLD_EVERY: Duration = Duration::from_secs(1);
const FOLD: u32 = 20_000;
/// How often in a row: where there are that many kinds, there is always more.
const MOST_FOLDS: usize = 100;
/// The shortest time between two looks for due jobs, however often the bell rings.
const BETWEEN_PROMOTIONS: Duration = Duration::from_millis(10);
/// The shortest wait for a job that is about to be due.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Promotes, rescues and forgets until told to stop.
pub(super) async fn run(
    store: Arc<dyn Store>,
    sessions: Sessions,
    wakeups: Wakeups,
    config: WorkerConfig,
    hooks: Hooks,
    meters: Meters,
    stop: CancellationToken,
) {
    let promoting = promote(&*store, wakeups, &meters, &stop);
    let rescue_every = RESCUE_EVERY.min(config.lease / 3);
    let rescuing = every(rescue_every, &stop, || {
        rescue(&*store, &sessions, &hooks, &meters)
    });
    let requeuing = look_for_the_lost(&*store, &stop);
    let forgetting = every(FORGET_EVERY, &stop, || forget(&*store));
    let tending = async {
        // It has just been prepared.
        let pause = tokio::time::sleep(spread(FORGET_EVERY, 0.2));
        stop.run_until_cancelled(pause).await;
        every(FORGET_EVERY, &stop, || tend(&*store)).await;
    };
    let folding = every(FOLD_EVERY, &stop, || fold(&*store));
    tokio::join!(promoting, rescuing, forgetting, tending, requeuing, folding);
}

/// Makes jobs available when they are due.
async fn promote(
    store: &dyn Store,
    mut wakeups: Wakeups,
    meters: &Meters,
    stop: &CancellationToken,
) {
    let mut patience = Patience::default();
    while !stop.is_cancelled() {
        // A stop need not wait for the store: what is cut off is done again, or by others.
        let promoting = in_time(SHORT_CALL, store.promote(PROMOTE));
        let Some(promotion) = stop.run_until_cancelled(promoting).await else {
            return;
        };
        if let Ok(promotion) = &promotion {
            meters.count(|it| it.promoted += u64::from(promotion.promoted));
        }
        let wait = match promotion {
            // The batch was full: there may be more.
            Ok(promotion) if promotion.promoted == PROMOTE => continue,
            Ok(promotion) => {
                patience.reset();
                promotion
                    .next_due_in
                    .unwrap_or(Duration::MAX)
                    .max(SHORTEST_WAIT)
            }
            Err(error) => {
                warn!(error = %Chain(&error), "failed to promote scheduled jobs");
                patience.next_wait()
            }
        };
        // A ring may mean that a job is due sooner. On a busy queue it seldom does, so a
        // little time passes in any case.
        stop.run_until_cancelled(async {
            tokio::time::sleep(wait.min(BETWEEN_PROMOTIONS)).await;
            wakeups
                .scheduled_within(wait.saturating_sub(BETWEEN_PROMOTIONS))
                .await;
        })
        .await;
    }
}

/// Does something now and then until told to stop; sooner again after a failure.
async fn every<F, W>(interval: Duration, stop: &CancellationToken, mut work: F)
where
    F: FnMut() -> W,
    W: Future<Output = Result<()>>,
{
    let mut patience = Patience::default();
    while !stop.is_cancelled() {
        let Some(result) = stop.run_until_cancelled(work()).await else {
            return;
        };
        let wait = match result {
            Ok(()) => {
                patience.reset();
                spread(interval, 0.2)
            }
            Err(error) => {
                warn!(error = %Chain(&error), "upkeep failed");
                patience.next_wait().min(interval)
            }
        };
        stop.run_until_cancelled(tokio::time::sleep_until(Instant::now() + wait))
            .await;
    }
}

async fn fold(store: &dyn Store) -> Result<()> {
    for _ in 0..MOST_FOLDS {
        if in_time(LONGEST_CALL, store.fold_counts(FOLD)).await? < u64::from(FOLD) {
            break;
        }
    }
    Ok(())
}

async fn rescue(
    store: &dyn Store,
    sessions: &Sessions,
    hooks: &Hooks,
    meters: &Meters,
) -> Result<()> {
    if !sessions.may_judge_others() {
        return Ok(());
    }
    let crashes = in_time(LONGEST_RESCUE, store.rescue()).await?;
    for crash in crashes {
        meters.rescued(crash.state);
        telemetry::rescued(&crash);
        hooks.tell(|| Event::Rescued {
            id: crash.id,
            kind: crash.kind,
            state: crash.state,
        });
    }
    Ok(())
}

/// Claims that were rolled back leave jobs behind where nobody looks, and a limit that was set does
/// not find what is older than it. Who noticed has mended that already; this is for those that
/// nobody did.
async fn look_for_the_lost(store: &dyn Store, stop: &CancellationToken) {
    let mut wait = REQUEUE_EVERY;
    loop {
        let pause = tokio::time::sleep(spread(wait, 0.2));
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
        let began = Instant::now();
        let looking = async {
            let requeued = in_time(LONGEST_CALL, store.requeue_stranded()).await?;
            let adopted = in_time(LONGEST_CALL, store.adopt()).await?;
            Ok::<_, Error>((requeued, adopted))
        };
        match stop.run_until_cancelled(looking).await {
            None => return,
            Some(Ok((requeued, adopted))) => {
                if requeued > 0 {
                    warn!(requeued, "found jobs that claims had passed by");
                }
                if adopted > 0 {
                    info!(
                        adopted,
                        "brought jobs under limits that are older than these"
                    );
                }
            }
            Some(Err(error)) => warn!(error = %Chain(&error), "upkeep failed"),
        }
        wait = (began.elapsed() * REQUEUE_SHARE).clamp(REQUEUE_EVERY, REQUEUE_AT_LEAST_EVERY);
    }
}

/// Prepares the history for what this worker will finish. If that fails, its records go where
/// they cost more to forget, and the worker can do without.
pub(super) async fn prepare(store: &dyn Store) {
    if let Err(error) = tend(store).await {
        warn!(error = %Chain(&error), "failed to prepare the history");
    }
}

async fn forget(store: &dyn Store) -> Result<()> {
    let pruned = in_batches(|| store.prune(BATCH)).await?;
    if pruned > 0 {
        debug!(pruned, "pruned the history");
    }
    in_batches(|| store.forget_minutes(KEEP_MINUTES, BATCH)).await?;
    in_batches(|| store.forget_rates(BATCH)).await?;
    in_batches(|| store.forget_keys(BATCH)).await?;
    in_batches(|| store.forget_watchers(BATCH)).await?;
    in_batches(|| store.forget_progress(BATCH)).await?;
    Ok(())
}

async fn tend(store: &dyn Store) -> Result<()> {
    loop {
        let tended = in_time(LONGEST_CALL, store.tend_history()).await?;
        if tended.is_idle() {
            return Ok(());
        }
        if tended.dropped > 0 {
            info!(
                days = tended.dropped,
                "dropped what has expired of the history"
            );
        }
    }
}

/// Deletes until a batch is not full.
async fn in_batches<W>(mut delete: impl FnMut() -> W) -> Result<u64>
where
    W: Future<Output = Result<u64>>,
{
    let mut deleted = 0;
    loop {
        let batch = in_time(LONGEST_CALL, delete()).await?;
        deleted += batch;
        if batch < u64::from(BATCH) {
            return Ok(deleted);
        }
    }
}
