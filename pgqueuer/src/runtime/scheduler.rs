//! The scheduler: enqueues the jobs of schedules when they tick.
//!
//! The next slot of a schedule is a row in the store. Whoever moves it on enqueues the job, in one
//! step, so that a slot is one job however many workers there are, and none is lost or repeated when
//! one dies. The clock of the store says what is due; the rules are worked out here, where there is
//! a calendar.
//!
//! A worker looks after the schedules whose kinds it has: if it enqueued the jobs of others, those
//! would pile up as long as nobody runs them, instead of being [missed](crate::Missed).

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{LONGEST_CALL, Patience, in_time};
use crate::{
    error::{Chain, Error, Result},
    registry::Registry,
    schedule::{Missed, Schedule},
    store::{DueSchedule, Store, TickToMake},
};

/// The longest sleep: somebody may have made or changed a schedule.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How many slots one call deals with: a second's work or so.
const MOST_TICKS: usize = 1000;

/// Makes the schedules of this worker known.
pub(super) async fn publish(store: &dyn Store, registry: &Registry) -> Result<()> {
    let mut schedules: Vec<(String, Schedule)> = Vec::new();
    for job in registry.jobs() {
        if let Some(schedule) = job.schedule() {
            schedules.push((job.kind.to_owned(), schedule));
        }
    }
    if !schedules.is_empty() {
        let taken = store.publish_schedules(&schedules).await?;
        if let Some((name, kind)) = taken.first() {
            return Err(Error::config(format!(
                "job `{name}` has a schedule in the code, and a schedule of that name was made at \
                 run time, for jobs of kind `{kind}`; delete that (`pgq schedules delete {name}`), \
                 or make it again by another name"
            )));
        }
    }
    let known: BTreeSet<&str> = registry.names().map(|(name, _)| name).collect();
    for left in store.list_schedules().await? {
        let is_declared = schedules.iter().any(|(name, _)| *name == left.name);
        if left.of_code.is_some() && !is_declared && known.contains(left.kind.as_str()) {
            warn!(
                schedule = left.name,
                "this schedule is no longer in the code of its job, and does not tick here; \
                 `pgq schedules delete` removes it"
            );
        }
    }
    Ok(())
}

/// Carries out what is due now: a drain begins with it, so that it runs the jobs of these slots.
pub(super) async fn run_once(store: &dyn Store, registry: &Registry) {
    if let Err(error) = look(store, registry).await {
        warn!(error = %Chain(&error), "failed to carry out schedules");
    }
}

/// Carries out ticks until told to stop.
pub(super) async fn run(store: Arc<dyn Store>, registry: Arc<Registry>, stop: CancellationToken) {
    let mut patience = Patience::default();
    while !stop.is_cancelled() {
        let looking = look(&*store, &registry);
        // A stop need not wait for the store: a tick is carried out or it is not.
        let Some(result) = stop.run_until_cancelled(looking).await else {
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
async fn look(store: &dyn Store, registry: &Registry) -> Result<Duration> {
    let began = Instant::now();
    let kinds: Vec<&str> = registry.names().map(|(name, _)| name).collect();
    let declared = registry.jobs().filter(|it| it.schedule().is_some());
    let declared: Vec<&str> = declared.map(|it| it.kind).collect();
    let found = in_time(LONGEST_CALL, store.due_schedules(&kinds, &declared)).await?;
    let ticks = found.due.into_iter().map(|due| plan(due, found.now));
    let ticks: Vec<Vec<TickToMake>> = ticks.collect();
    let next = ticks.iter().flatten().filter_map(|it| it.next_tick);
    let next = next.filter(|it| *it > found.now).chain(found.soonest).min();
    for batch in batches(ticks) {
        make(store, &batch).await?;
    }
    let wait = next.map_or(LONGEST_WAIT, |it| {
        (it - found.now).to_std().unwrap_or_default()
    });
    Ok(wait.min(LONGEST_WAIT).saturating_sub(began.elapsed()))
}

/// What to do for one schedule: a tick for each slot that is to have a job, one after another, or
/// none but to set the next slot. At least one.
fn plan(due: DueSchedule, now: DateTime<Utc>) -> Vec<TickToMake> {
    let DueSchedule {
        name,
        schedule,
        revision,
        next_tick,
        after,
    } = due;
    let parsed = schedule.and_then(|it| Ok((it.parse().map_err(|it| it.to_string())?, it.missed)));
    let (slots, next, fault) = match parsed {
        Err(fault) => (Vec::new(), None, Some(fault)),
        Ok((ticks, missed)) => {
            let first = next_tick.or_else(|| ticks.next_after(after));
            let slots = first.map_or_else(Vec::new, |it| ticks.due(it, now, missed));
            if missed != Missed::Once && slots.is_empty() && next_tick.is_some() {
                info!(schedule = name, "passed over slots that were missed");
            }
            let next = match first {
                Some(first) if first > now => Some(first),
                _ => ticks.next_after(now),
            };
            let fault = next.is_none().then(|| "it never ticks again".to_owned());
            (slots, next, fault)
        }
    };
    if let Some(fault) = &fault {
        error!(schedule = name, fault, "this schedule does not tick");
    }
    let mut slots: Vec<Option<DateTime<Utc>>> = slots.into_iter().map(Some).collect();
    if slots.is_empty() {
        slots.push(None);
    }
    (revision..)
        .zip(slots)
        .map(|(revision, slot)| TickToMake {
            name: name.clone(),
            revision,
            slot,
            next_tick: next,
            fault: fault.clone(),
        })
        .collect()
}

/// What goes into one call each: all, unless many schedules catch up at once.
fn batches(ticks: Vec<Vec<TickToMake>>) -> Vec<Vec<Vec<TickToMake>>> {
    let mut batches: Vec<Vec<Vec<TickToMake>>> = Vec::new();
    let mut room = 0;
    for of_one in ticks {
        match batches.last_mut() {
            Some(batch) if of_one.len() <= room => {
                room -= of_one.len();
                batch.push(of_one);
            }
            _ => {
                room = MOST_TICKS.saturating_sub(of_one.len());
                batches.push(vec![of_one]);
            }
        }
    }
    batches
}

/// All in one call. If that fails, one by one: one that fails must not keep the others from ticking.
async fn make(store: &dyn Store, ticks: &[Vec<TickToMake>]) -> Result<()> {
    let Err(problem) = make_together(store, &ticks.concat()).await else {
        return Ok(());
    };
    let mut is_of_all = true;
    for of_one in ticks.iter().filter(|_| ticks.len() > 1) {
        match make_together(store, of_one).await {
            Ok(()) => is_of_all = false,
            Err(error) => {
                let schedule = &of_one[0].name;
                warn!(error = %Chain(&error), schedule, "failed to carry out a tick");
            }
        }
    }
    // What is wrong with a few is no reason to let the others wait.
    if is_of_all { Err(problem) } else { Ok(()) }
}

async fn make_together(store: &dyn Store, ticks: &[TickToMake]) -> Result<()> {
    for ticked in in_time(LONGEST_CALL, store.tick(ticks)).await? {
        match ticked.job {
            Some(id) => {
                debug!(job.id = %id, schedule = ticked.name, slot = %ticked.slot, "a schedule ticked");
            }
            None => {
                info!(schedule = ticked.name, slot = %ticked.slot,
                    "a slot has no job, since the last one is unfinished");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_go_together_unless_they_are_many() {
        let ticks = |name: &str, count: usize| {
            let tick = TickToMake {
                name: name.to_owned(),
                revision: 0,
                slot: None,
                next_tick: None,
                fault: None,
            };
            vec![tick; count]
        };
        let sizes = |counts: &[usize]| -> Vec<Vec<usize>> {
            let ticks = counts.iter().map(|it| ticks("hourly", *it)).collect();
            let batches = batches(ticks).into_iter();
            batches
                .map(|it| it.iter().map(Vec::len).collect())
                .collect()
        };
        assert_eq!(sizes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(sizes(&[1; 500]), [vec![1; 500]]);
        let many = [vec![600, 400], vec![1, 999], vec![1000], vec![1]];
        assert_eq!(sizes(&[600, 400, 1, 999, 1000, 1]), many);
    }
}
