//! The fetcher: when to claim, and how many.
//!
//! It claims as many jobs as there are free slots, and no more: what a worker holds it runs.
//! As long as claims come back full it goes on at once, from where it left off, and looks
//! everywhere a few times a second. When a look everywhere finds too little, that group of
//! kinds is left alone until the bell rings or it is time to look anyway.

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
    error::{Chain, Error, Result},
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

/// A group of kinds, and what is known of the jobs that wait for it.
struct Line<'a> {
    group: &'a Group,
    looked_everywhere: Option<Instant>,
    /// The last look everywhere found too little: there is nothing until the bell rings.
    dry: bool,
}

impl Line<'_> {
    fn look_anew(&mut self) {
        self.looked_everywhere = None;
        self.dry = false;
    }
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
        let slots = self.slots.clone();
        let mut lines: Vec<Line<'_>> = slots
            .groups()
            .iter()
            .map(|group| Line {
                group,
                looked_everywhere: None,
                dry: false,
            })
            .collect();
        let mut patience = Patience::default();
        while !stop.is_cancelled() {
            if self.wakeups.was_rung() {
                lines.iter_mut().for_each(Line::look_anew);
            }
            if let Err(error) = self.claim_round(&mut lines).await {
                warn!(error = %Chain(&error), "failed to claim jobs");
                lines.iter_mut().for_each(Line::look_anew);
                let pause = tokio::time::sleep(patience.next_wait());
                stop.run_until_cancelled(pause).await;
                continue;
            }
            patience.reset();

            let all_dry = lines.iter().all(|line| line.dry);
            let has_room = |line: &Line<'_>| !line.dry && slots.free(line.group) > 0;
            if all_dry && self.mode == Mode::Drain {
                if self.is_drained(&mut lines, stop).await {
                    return;
                }
            } else if all_dry {
                stop.run_until_cancelled(self.wakeups.next()).await;
                lines.iter_mut().for_each(Line::look_anew);
            } else if lines.iter().any(has_room) {
                slots.half_free(Self::GATHER_SLOTS).await;
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = slots.freed() => {}
                    () = self.wakeups.next() => lines.iter_mut().for_each(Line::look_anew),
                }
            }
        }
    }

    /// Claims for each line that may have jobs, as many as it has free slots.
    async fn claim_round(&self, lines: &mut [Line<'_>]) -> Result<()> {
        for line in lines {
            let free = self.slots.free(line.group);
            if line.dry || free == 0 {
                continue;
            }
            let is_recent = |at: Instant| at.elapsed() < Self::LOOK_EVERYWHERE_EVERY;
            if line.looked_everywhere.is_some_and(is_recent) {
                let claimed = self.claim(line.group, free, Look::Onward).await?;
                if claimed == free {
                    continue;
                }
            }
            let free = self.slots.free(line.group);
            line.looked_everywhere = Some(Instant::now());
            let claimed = self.claim(line.group, free, Look::Everywhere).await?;
            line.dry = claimed < free;
        }
        Ok(())
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
    async fn is_drained(&mut self, lines: &mut [Line<'_>], stop: &CancellationToken) -> bool {
        lines.iter_mut().for_each(Line::look_anew);
        if self.attempts.running() > 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.slots.freed() => {}
                () = self.wakeups.next() => {}
            }
            return false;
        }
        self.settler.flushed().await;
        let settled = async {
            let promotion = self.store.promote(Self::PROMOTE).await?;
            // What was settled may have become available again.
            self.claim_round(lines).await?;
            Ok::<bool, Error>(promotion.promoted == 0 && lines.iter().all(|line| line.dry))
        };
        match settled.await {
            Ok(nothing_due) => nothing_due && self.attempts.running() == 0,
            Err(error) => {
                warn!(error = %Chain(&error), "failed to look for due jobs");
                let pause = tokio::time::sleep(Patience::FIRST);
                stop.run_until_cancelled(pause).await;
                false
            }
        }
    }
}
