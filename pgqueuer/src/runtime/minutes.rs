//! Counting for charts and meters: what this worker has done, minute by minute.
//!
//! Results are counted in memory as they are written, and added to the store every few seconds,
//! so that a chart costs nothing per job. What a worker has counted and not added when it is
//! killed is lost; what it added without getting the reply is added once more. The jobs
//! themselves are neither lost nor done twice for that.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foldhash::HashMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{LONGEST_CALL, in_time, meters::Meters, settler::Settled, spread};
use crate::{
    error::Chain,
    store::{Measures, MinuteToAdd, SessionId, Store, Tally},
};

/// How often the counts are added. It is also how much of a minute may be counted to the
/// minute before.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How long a worker that ends tries to add its last counts.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// What is to be counted of one attempt besides its end.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) kind: String,
    pub(super) attempt: u16,
    /// From when the job was due until it was claimed.
    pub(super) waited: Duration,
    /// How long the handler took.
    pub(super) ran: Duration,
}

/// Takes counts. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Minutes {
    started: Instant,
    meters: Meters,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    /// Not in the meters yet.
    fresh: Rounds,
    /// In the meters, and still to be added to the store.
    metered: Rounds,
}

/// By the round of flushing in which they were counted, and by session.
type Rounds = BTreeMap<(u32, SessionId), HashMap<String, Measures>>;

/// One attempt. `None` if nothing came of it: those are in the report of the worker.
fn tally(settled: Settled, measured: &Measured) -> Option<Tally> {
    let mut tally = Tally {
        wait_seconds: measured.waited.as_secs_f64(),
        run_seconds: measured.ran.as_secs_f64(),
        max_run_seconds: measured.ran.as_secs_f64(),
        ..Tally::default()
    };
    let count = match settled {
        Settled::Completed => &mut tally.completed,
        Settled::Retried => &mut tally.retried,
        Settled::Held => &mut tally.held,
        Settled::Discarded => &mut tally.discarded,
        Settled::Cancelled => &mut tally.cancelled,
        Settled::Snoozed => &mut tally.snoozed,
        Settled::GivenBack | Settled::Lost => return None,
    };
    *count = 1;
    Some(tally)
}

impl Minutes {
    pub(super) fn new(meters: Meters) -> Self {
        Self {
            started: Instant::now(),
            meters,
            counted: Arc::default(),
        }
    }

    /// Counts attempts whose results were written.
    pub(super) fn count<'a>(
        &self,
        session: SessionId,
        attempts: impl Iterator<Item = (Settled, &'a Measured)>,
    ) {
        let round = self.started.elapsed().as_secs() / FLUSH_EVERY.as_secs();
        let round = u32::try_from(round).unwrap_or(u32::MAX);
        let mut counted = self.lock();
        let kinds = counted.fresh.entry((round, session)).or_default();
        for (settled, measured) in attempts {
            let Some(tally) = tally(settled, measured) else {
                continue;
            };
            let sum = match kinds.get_mut(&measured.kind) {
                Some(sum) => sum,
                None => kinds.entry(measured.kind.clone()).or_default(),
            };
            sum.add_attempt(&tally, measured.waited, measured.ran);
        }
    }

    /// Brings the meters up to date. What it takes is counted in there in one step, so that whoever reads
    /// them never finds less than before.
    pub(super) fn meter(&self) {
        let mut counted = self.lock();
        let fresh = std::mem::take(&mut counted.fresh);
        self.meters.count(|counts| {
            for (kind, measures) in fresh.values().flatten() {
                match counts.kinds.get_mut(kind) {
                    Some(sum) => sum.add(measures),
                    None => {
                        counts.kinds.insert(kind.clone(), measures.clone());
                    }
                }
            }
        });
        add(&mut counted.metered, fresh);
    }

    /// Adds to the store now and then, and once more at the end.
    pub(super) async fn run(self, store: Arc<dyn Store>, end: CancellationToken) {
        while end
            .run_until_cancelled(tokio::time::sleep(spread(FLUSH_EVERY, 0.2)))
            .await
            .is_some()
        {
            self.flush(&*store, LONGEST_CALL).await;
        }
        self.flush(&*store, LAST_FLUSH).await;
    }

    /// What could not be added is kept for the next time. Little comes to it meanwhile: results
    /// are not written then either.
    async fn flush(&self, store: &dyn Store, limit: Duration) {
        self.meter();
        let taken = std::mem::take(&mut self.lock().metered);
        let minutes = self.to_add(&taken);
        if minutes.is_empty() {
            return;
        }
        if let Err(error) = in_time(limit, store.add_minutes(&minutes)).await {
            warn!(error = %Chain(&error), "failed to add to the minutes");
            add(&mut self.lock().metered, taken);
        }
    }

    fn to_add(&self, rounds: &Rounds) -> Vec<MinuteToAdd> {
        let running = self.started.elapsed();
        let mut minutes = Vec::new();
        for ((round, session), kinds) in rounds {
            let began = FLUSH_EVERY.saturating_mul(*round);
            minutes.extend(kinds.iter().map(|(kind, measures)| MinuteToAdd {
                ago: running.saturating_sub(began),
                session: *session,
                kind: kind.clone(),
                measures: measures.clone(),
            }));
        }
        minutes
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Sums are whole at any time, whoever panicked.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(rounds: &mut Rounds, others: Rounds) {
    for (key, kinds) in others {
        let sums = rounds.entry(key).or_default();
        for (kind, measures) in kinds {
            sums.entry(kind).or_default().add(&measures);
        }
    }
}
