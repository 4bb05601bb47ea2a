//! What is of the whole queue, as the database has it.

use super::{
    names,
    set::{Bounds, Set},
};
use crate::store::{KindOverview, KindTotal, Measures, Overview};

/// What one read brought.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) overview: Overview,
    pub(super) totals: Vec<KindTotal>,
}

/// `None`: the database did not answer.
pub(super) fn add(set: &mut Set, queue: Option<&Queue>) {
    set.count(&names::UP, &[], u64::from(queue.is_some()));
    let Some(Queue { overview, totals }) = queue else {
        return;
    };
    for kind in &overview.kinds {
        add_kind(set, overview, kind);
    }
    add_workers(set, overview);
    for total in totals {
        add_measures(
            set,
            [&names::ATTEMPTS, &names::JOB_WAIT, &names::JOB_RUN],
            &total.kind,
            &total.measures,
        );
    }
}

fn add_kind(set: &mut Set, overview: &Overview, kind: &KindOverview) {
    let name = kind.kind.as_str();
    let queue = kind.queue.as_deref().unwrap_or_default();
    let counts = [
        ("available", kind.counts.available),
        ("running", kind.counts.running),
        ("scheduled", kind.counts.scheduled),
        ("held", kind.counts.held),
    ];
    for (state, count) in counts {
        set.count(&names::JOBS, &[name, queue, state], count);
    }
    // A job that became due while this was read is not older than nothing.
    let age = kind.oldest.map(|it| overview.at - it);
    let age = age.and_then(|it| it.to_std().ok()).unwrap_or_default();
    set.number(&names::OLDEST_JOB_AGE, &[name, queue], age.as_secs_f64());
    let is_paused = u64::from(kind.paused.is_some());
    set.count(&names::PAUSED, &[name, queue], is_paused);
}

fn add_workers(set: &mut Set, overview: &Overview) {
    // Where all workers are dead, nobody clears away their sessions.
    let lasting = || {
        let workers = overview.workers.iter();
        workers.filter(|it| it.expires_at > overview.at)
    };
    let idle = lasting().filter(|it| it.is_idle).count();
    let busy = lasting().count() - idle;
    let lost = overview.workers.len() - idle - busy;
    for (state, count) in [("idle", idle), ("busy", busy), ("lost", lost)] {
        set.count(&names::WORKERS, &[state], count as u64);
    }
    let concurrency = lasting().filter_map(|it| it.concurrency).map(u64::from);
    set.count(&names::CONCURRENCY, &[], concurrency.sum());
}

/// Adds what attempts of a kind came to, by families for the outcomes, the waits and the runs.
pub(super) fn add_measures(
    set: &mut Set,
    [attempts, waits, runs]: [&names::Family; 3],
    kind: &str,
    measures: &Measures,
) {
    let tally = &measures.tally;
    let outcomes = [
        ("completed", tally.completed),
        ("retried", tally.retried),
        ("held", tally.held),
        ("discarded", tally.discarded),
        ("cancelled", tally.cancelled),
        ("snoozed", tally.snoozed),
    ];
    for (outcome, count) in outcomes {
        set.count(attempts, &[kind, outcome], count);
    }
    let waited = (&measures.waits, tally.wait_seconds);
    set.durations(waits, &[kind], Bounds::JOBS, waited);
    let ran = (&measures.runs, tally.run_seconds);
    set.durations(runs, &[kind], Bounds::JOBS, ran);
}
