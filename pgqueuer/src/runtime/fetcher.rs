//! The fetcher: when to claim, and how many.
//!
//! It claims as many jobs as there are free slots, and no more: what a worker holds it runs.
//! As long as claims come back full it goes on at once, from where it left off, and looks
//! everywhere a few times a second. When a look everywhere finds too little, it waits for the
//! bell.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Mode, Patience,
    attempt::Attempts,
    session::Sessions,
    settler::Settler,
    slots::{Group, Slots},
    wakeups::Wakeups,
};
use crate::{
    error::{Chain, Result},
    store::{ClaimRequest, Look, Store},
};

pub(super) struct Fetcher {
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Sessions,
    pub(super) slots: Slots,
    pub(super) attempts: Attempts,
    pub(super) settler: Settler,
    pub(super) wakeups: Wakeups,
    pub(super) mode: Mode,
}

/// What one round of claims found.
enum Found {
    /// As many jobs as there were slots: there may be more.
    Enough,
    /// Fewer than there were slots for.
    TooFew { claimed: usize },
    /// Nothing was claimed, because no slot is free.
    NoSlot,
}

impl Fetcher {
    /// How long a busy worker goes on from where it left off, before it looks everywhere for
    /// a higher priority and for what was slow to commit.
    const LOOK_EVERYWHERE_EVERY: Duration = Duration::from_millis(250);

    /// How long to gather free slots while there are jobs for all of them: a claim costs the
    /// same for one job as for many. Short beside the round trip that it saves.
    const GATHER_SLOTS: Duration = Duration::from_millis(1);

    /// How many due jobs a drain promotes at a time.
    const PROMOTE: u32 = 1000;

    /// Claims until told to stop; in a drain, until there is nothing left.
    pub(super) async fn run(mut self, stop: &CancellationToken) {
        let mut patience = Patience::default();
        let mut looked_everywhere: Option<Instant> = None;
        while !stop.is_cancelled() {
            let is_recent = |at: Instant| at.elapsed() < Self::LOOK_EVERYWHERE_EVERY;
            let look = match looked_everywhere {
                Some(at) if is_recent(at) => Look::Onward,
                Some(_) | None => Look::Everywhere,
            };
            if look == Look::Everywhere {
                self.wakeups.forget();
                looked_everywhere = Some(Instant::now());
            }
            match self.claim_round(look).await {
                Ok(Found::Enough) => {
                    patience.reset();
                    self.slots.half_free(Self::GATHER_SLOTS).await;
                }
                Ok(Found::NoSlot) => {
                    stop.run_until_cancelled(self.slots.freed()).await;
                }
                Ok(Found::TooFew { .. }) if look == Look::Onward => looked_everywhere = None,
                Ok(Found::TooFew { claimed }) => {
                    patience.reset();
                    looked_everywhere = None;
                    if self.mode == Mode::Continuous {
                        stop.run_until_cancelled(self.wakeups.next()).await;
                    } else if claimed == 0 && self.is_drained(stop).await {
                        return;
                    }
                }
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to claim jobs");
                    looked_everywhere = None;
                    let pause = tokio::time::sleep(patience.next_wait());
                    stop.run_until_cancelled(pause).await;
                }
            }
        }
    }

    /// Claims once for each group of kinds that has free slots.
    async fn claim_round(&self, look: Look) -> Result<Found> {
        let mut claimed = 0;
        let mut short = false;
        let mut asked = false;
        for group in self.slots.groups() {
            let free = self.slots.free(group);
            if free > 0 {
                asked = true;
                let found = self.claim(group, free, look).await?;
                claimed += found;
                short |= found < free;
            }
        }
        Ok(match (asked, short) {
            (false, _) => Found::NoSlot,
            (true, false) => Found::Enough,
            (true, true) => Found::TooFew { claimed },
        })
    }

    async fn claim(&self, group: &Group, free: usize, look: Look) -> Result<usize> {
        let session = self.sessions.current();
        let request = ClaimRequest {
            session: session.id,
            kinds: &group.kinds,
            limit: u32::try_from(free).unwrap_or(u32::MAX),
            look,
        };
        let jobs = self.store.claim(&request).await?;
        let claimed = jobs.len();
        for job in jobs {
            let slot = self.slots.take(&job.kind);
            self.attempts.start(job, session.clone(), slot);
        }
        Ok(claimed)
    }

    /// Whether a drain has come to its end: nothing runs, everything is written, and nothing
    /// has become due. Otherwise waits until it is worth another look.
    async fn is_drained(&mut self, stop: &CancellationToken) -> bool {
        if self.attempts.running() > 0 {
            stop.run_until_cancelled(self.slots.freed()).await;
            return false;
        }
        self.settler.flushed().await;
        match self.store.promote(Self::PROMOTE).await {
            Ok(promotion) if promotion.promoted > 0 => false,
            // What was settled may have become available again.
            Ok(_) => matches!(
                self.claim_round(Look::Everywhere).await,
                Ok(Found::TooFew { claimed: 0 })
            ),
            Err(error) => {
                warn!(error = %Chain(&error), "failed to look for due jobs");
                false
            }
        }
    }
}
