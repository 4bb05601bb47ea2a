//! What is of this process: its workers, and its connections.

use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    names::{self, FAMILIES},
    queue::add_measures,
    set::Set,
};
use crate::{
    handle::PgQueuer,
    postgres::{InUse, PostgresStore},
    runtime::{Counts, Present},
};

/// What the workers of this process measure of themselves, for a [`Registry`](prometheus::Registry) of the
/// crate `prometheus` 0.14. Made by [`Metrics::collector`](super::Metrics::collector).
#[derive(Debug)]
pub struct WorkerCollector {
    pgq: PgQueuer,
    described: Vec<Desc>,
}

impl WorkerCollector {
    pub(super) fn new(pgq: PgQueuer) -> Self {
        let own = FAMILIES.iter().filter(|it| it.is_of_process());
        let describe = |it: &&names::Family| {
            let labels = it.labels.iter().map(|label| (*label).to_owned());
            // It refuses names and labels that are none, which the suite would find.
            Desc::new(
                it.name.to_owned(),
                it.help.to_owned(),
                labels.collect(),
                Default::default(),
            )
            .ok()
        };
        Self {
            described: own.filter_map(|it| describe(&it)).collect(),
            pgq,
        }
    }
}

impl Collector for WorkerCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut set = Set::default();
        add(&mut set, &self.pgq);
        set.into_families()
    }
}

/// Adds nothing of workers before the first one has begun.
pub(super) fn add(set: &mut Set, pgq: &PgQueuer) {
    let (counts, present) = pgq.meters().read();
    if counts.begun > 0 {
        add_present(set, present);
        add_counts(set, &counts);
    }
    if let Some(in_use) = pgq.postgres().map(PostgresStore::connections) {
        add_connections(set, &in_use);
    }
}

fn add_present(set: &mut Set, present: Present) {
    set.count(&names::WORKER_ACTIVE, &[], present.workers as u64);
    let uptime = present.uptime.as_secs_f64();
    set.number(&names::WORKER_UPTIME, &[], uptime);
    set.count(&names::WORKER_CONCURRENCY, &[], present.concurrency as u64);
    set.count(&names::WORKER_RUNNING, &[], present.running as u64);
}

fn add_counts(set: &mut Set, counts: &Counts) {
    let families = [
        &names::WORKER_ATTEMPTS,
        &names::WORKER_JOB_WAIT,
        &names::WORKER_JOB_RUN,
    ];
    for (kind, measures) in &counts.kinds {
        add_measures(set, families, kind, measures);
    }
    set.batches(
        &names::WORKER_CLAIM_SECONDS,
        &names::WORKER_CLAIM_JOBS,
        &counts.claims,
    );
    set.count(&names::WORKER_CLAIM_FAILURES, &[], counts.failed_claims);
    set.timings(&names::WORKER_NOTIFY_LAG, &counts.notify_lag);
    set.batches(
        &names::WORKER_SETTLE_SECONDS,
        &names::WORKER_SETTLE_JOBS,
        &counts.settles,
    );
    set.count(&names::WORKER_SETTLE_FAILURES, &[], counts.failed_settles);
    set.count(&names::WORKER_REFUSED_RESULTS, &[], counts.refused);
    set.count(&names::WORKER_LOST_RESULTS, &[], counts.lost);
    set.count(&names::WORKER_GIVEN_BACK, &[], counts.given_back);
    let renewals = [
        ("renewed", counts.renewals),
        ("failed", counts.failed_renewals),
        ("lost", counts.lost_leases),
    ];
    for (result, count) in renewals {
        set.count(&names::WORKER_LEASE_RENEWALS, &[result], count);
    }
    let rescued = [
        ("available", counts.rescued.available),
        ("held", counts.rescued.held),
        ("discarded", counts.rescued.discarded),
        ("cancelled", counts.rescued.cancelled),
    ];
    for (state, count) in rescued {
        set.count(&names::WORKER_RESCUED, &[state], count);
    }
    set.count(&names::WORKER_PROMOTED, &[], counts.promoted);
}

fn add_connections(set: &mut Set, in_use: &InUse) {
    let states = |idle: usize, in_use: usize| [("idle", idle as u64), ("in_use", in_use as u64)];
    for (state, count) in states(in_use.pool.idle, in_use.pool.in_use) {
        set.count(&names::POOL_CONNECTIONS, &[state], count);
    }
    let limit = u64::from(in_use.pool_limit);
    set.count(&names::POOL_CONNECTIONS_MAX, &[], limit);
    for own in &in_use.own {
        for (state, count) in states(own.idle, own.in_use) {
            set.count(&names::WORKER_CONNECTIONS, &[own.purpose, state], count);
        }
    }
    if !in_use.own.is_empty() {
        set.count(&names::WORKER_CONNECTIONS_MADE, &[], in_use.made);
    }
}
