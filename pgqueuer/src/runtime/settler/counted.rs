//! What is counted of results, once they are written or lost.

use tracing::warn;

use super::{Measured, Report, Settled, Settler, Writer, lock};
use crate::store::{ClaimKey, SessionId, Settlement};

impl Settler {
    pub(super) fn count(&self, settled: Settled) {
        lock(&self.report).count(settled);
    }

    /// Takes note of a result that nobody will write.
    pub(in super::super) fn count_lost(&self) {
        self.count(Settled::Lost);
        self.meters.count(|it| it.lost += 1);
    }
}

impl Report {
    pub(super) fn count(&mut self, settled: Settled) {
        let count = match settled {
            Settled::Completed => &mut self.completed,
            Settled::Retried => &mut self.retried,
            Settled::Held => &mut self.held,
            Settled::Discarded => &mut self.discarded,
            Settled::Cancelled => &mut self.cancelled,
            Settled::Snoozed => &mut self.snoozed,
            Settled::GivenBack => &mut self.given_back,
            Settled::Lost => &mut self.lost,
        };
        *count += 1;
    }
}

impl Writer {
    /// Counts a batch that was written, but for what was refused.
    pub(super) fn count(
        &self,
        session: SessionId,
        settlements: &[Settlement],
        settled: &[(Settled, Measured)],
        refused: &[ClaimKey],
    ) {
        let is_refused = |settlement: &Settlement| refused.contains(&settlement.key);
        let attempts = || settlements.iter().zip(settled);
        let written = attempts().filter(|(settlement, _)| !is_refused(settlement));
        let written = written.map(|(_, (settled, measured))| (*settled, measured));
        self.minutes.count(session, written.clone());
        if !self.hooks.is_none() {
            self.tell(settlements, settled, refused);
        }
        let given_back = written.clone();
        let given_back = given_back.filter(|(settled, _)| *settled == Settled::GivenBack);
        let given_back = given_back.count() as u64;
        self.meters.count(|it| {
            it.refused += refused.len() as u64;
            it.given_back += given_back;
        });
        let mut report = lock(&self.report);
        written.for_each(|(settled, _)| report.count(settled));
        for (settlement, _) in attempts().filter(|(settlement, _)| is_refused(settlement)) {
            warn!(
                job.id = %settlement.key.id, job.outcome = "lost", %session,
                "the job is no longer held by this session; its result was refused"
            );
            report.count(Settled::Lost);
        }
    }
}
