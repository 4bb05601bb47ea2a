//! The scheduler: enqueues the jobs of schedules when they tick.
//!
//! The next tick is a row in the store. Whoever moves it on enqueues the job, in one step, so
//! that a tick is one job however many workers there are, and none is lost or repeated when
//! one dies. The clock of the store says what is due; the rules are worked out here.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{LONGEST_CALL, Patience, in_time};
use crate::{
    error::{Chain, Error, Result},
    payload::{Codec, Payload},
    registry::{JobDescriptor, Registry},
    schedule::Ticks,
    store::{JobToEnqueue, NextTick, RunAt, ScheduleToStore, Store, Tick},
};

/// The longest sleep: another worker may have changed a rule.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Makes the schedules of this worker known.
pub(super) async fn store_schedules(store: &dyn Store, registry: &Registry) -> Result<()> {
    let now = store.now().await?;
    let mut schedules = Vec::new();
    for job in registry.jobs() {
        if let Some(schedule) = job.schedule {
            let next_tick = schedule.parse()?.next_after(now).ok_or_else(|| {
                Error::config(format!(
                    "the schedule of job `{}` never ticks again",
                    job.kind
                ))
            })?;
            schedules.push(ScheduleToStore {
                kind: job.kind.to_owned(),
                rule: schedule.to_string(),
                next_tick,
            });
        }
    }
    if schedules.is_empty() {
        return Ok(());
    }
    store.store_schedules(&schedules).await
}

/// Carries out ticks until told to stop.
pub(super) async fn run(store: Arc<dyn Store>, registry: Arc<Registry>, stop: CancellationToken) {
    let rules: HashMap<&str, (&JobDescriptor, Ticks)> = registry
        .jobs()
        // The worker did not start if a rule does not parse.
        .filter_map(|job| Some((job.kind, (job, job.schedule?.parse().ok()?))))
        .collect();
    if rules.is_empty() {
        return;
    }
    let kinds: Vec<&str> = rules.keys().copied().collect();
    let mut patience = Patience::default();
    while !stop.is_cancelled() {
        let ticking = tick_all(&*store, &rules, &kinds);
        // A stop need not wait for the store: a tick is carried out or it is not.
        let Some(result) = stop.run_until_cancelled(ticking).await else {
            return;
        };
        let wait = match result {
            Ok(wait) => {
                patience.reset();
                wait
            }
            Err(error) => {
                warn!(error = %Chain(&error), "failed to carry out schedules");
                patience.next_wait()
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

/// Carries out what is due. Returns how long until there may be more.
async fn tick_all(
    store: &dyn Store,
    rules: &HashMap<&str, (&JobDescriptor, Ticks)>,
    kinds: &[&str],
) -> Result<Duration> {
    let next_ticks = in_time(LONGEST_CALL, store.next_ticks(kinds)).await?;
    if next_ticks.is_empty() {
        // Somebody has deleted the rows. They are back when a worker starts.
        return Ok(LONGEST_WAIT);
    }
    let mut failed = false;
    for tick in next_ticks {
        // Soonest first: the others are later still.
        if tick.at > tick.now {
            let wait = (tick.at - tick.now).to_std().unwrap_or_default();
            return Ok(if failed {
                LONGEST_WAIT
            } else {
                wait.min(LONGEST_WAIT)
            });
        }
        if let Some((job, ticks)) = rules.get(tick.kind.as_str()) {
            // One that fails must not keep the others from ticking.
            if let Err(error) = carry_out(store, job, ticks, &tick).await {
                warn!(error = %Chain(&error), job.kind, "failed to carry out a tick");
                failed = true;
            }
        }
    }
    // All were due, and have moved on, or will be tried again in a while.
    Ok(if failed { LONGEST_WAIT } else { Duration::ZERO })
}

async fn carry_out(
    store: &dyn Store,
    job: &JobDescriptor,
    ticks: &Ticks,
    due: &NextTick,
) -> Result<()> {
    // From now, not from the tick: what was missed becomes one late job.
    let Some(next) = ticks.next_after(due.now) else {
        return Err(Error::config(format!(
            "the schedule of job `{}` never ticks again",
            job.kind
        )));
    };
    let tick = Tick {
        due: due.at,
        next,
        job: JobToEnqueue {
            limit_key: None,
            kind: job.kind.into(),
            priority: job.options.priority,
            payload: no_arguments(),
            headers: [("scheduled_for".to_owned(), due.at.to_rfc3339())].into(),
            run_at: RunAt::Now,
        },
    };
    if let Some(id) = in_time(LONGEST_CALL, store.tick(&tick)).await? {
        info!(job.id = %id, job.kind, due = %due.at, "a schedule ticked");
    }
    Ok(())
}

/// A scheduled job has nobody to give it arguments.
fn no_arguments() -> Payload {
    Payload {
        codec: Codec::Json,
        bytes: b"{}".to_vec(),
    }
}
