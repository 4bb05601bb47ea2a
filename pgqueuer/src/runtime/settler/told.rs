//! What hooks are told of results that were written.

use super::{Measured, Settled, Writer};
use crate::{
    hook::{Ended, Event, Hooks},
    job::JobId,
    store::{ClaimKey, Failure, Settlement},
};

impl Writer {
    /// Tells the hooks of a batch, but for what was refused.
    pub(super) fn tell(
        &self,
        settlements: &[Settlement],
        settled: &[(Settled, Measured)],
        refused: &[ClaimKey],
    ) {
        let attempts = settlements.iter().zip(settled);
        for (settlement, (settled, measured)) in attempts {
            if !refused.contains(&settlement.key) {
                let failure = settlement.failure.as_ref();
                tell(&self.hooks, settlement.key.id, *settled, failure, measured);
            }
        }
    }
}

/// Tells the hooks how one attempt ended.
pub(super) fn tell(
    hooks: &Hooks,
    id: JobId,
    settled: Settled,
    failure: Option<&Failure>,
    measured: &Measured,
) {
    let how = match settled {
        Settled::Completed => Some(Ended::Completed),
        Settled::Retried => Some(Ended::Retried),
        Settled::Discarded => Some(Ended::Discarded),
        Settled::Cancelled => Some(Ended::Cancelled),
        Settled::Snoozed => Some(Ended::Snoozed),
        // It was never started.
        Settled::GivenBack if measured.ran.is_zero() => return,
        Settled::GivenBack => Some(Ended::GivenBack),
        Settled::Held => None,
        Settled::Lost => return,
    };
    let (kind, attempt, ran) = (&measured.kind, measured.attempt, measured.ran);
    match (how, failure) {
        (Some(how), failure) => hooks.tell(|| Event::Ended {
            id,
            kind: kind.clone(),
            attempt,
            how,
            failure: failure.cloned(),
            ran,
        }),
        (None, Some(failure)) => hooks.tell(|| Event::Held {
            id,
            kind: kind.clone(),
            attempt,
            failure: failure.clone(),
            ran,
        }),
        // Not reached: what is held has failed.
        (None, None) => {}
    }
}
