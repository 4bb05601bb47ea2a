//! The fetcher: when to claim, and how many.
//!
//! It claims as many jobs as there are free slots, and no more: what a worker holds it runs.
//! As long as claims come back full it goes on at once, from where it left off, and looks
//! everywhere a few times a second. When a look everywhere finds too little, the kinds that
//! came short are left alone until the bell rings or it is time to look anyway.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    LONGEST_CALL, Mode, Patience,
    attempt::Attempts,
    in_time,
    session::Sessions,
    settler::Settler,
    slots::{Group, Slots},
    wakeups::Wakeups,
};
use crate::{
    error::{Chain, Error, Result},
    store::{Bound, ClaimRequest, ClaimedJob, Look, Store},
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

/// What a claim brought.
struct Claimed {
    jobs: usize,
    /// As many as was asked for: there may be more.
    is_full: bool,
}

/// What is known of the jobs that wait.
struct Outlook<'a> {
    lines: Vec<Line<'a>>,
    looked_everywhere: Option<Instant>,
    /// A claim failed: its reply may have been lost on the way.
    is_unsure: bool,
}

/// A group of kinds that a bound holds for, or that none holds for.
struct Line<'a> {
    group: &'a Group,
    /// The last look everywhere found too little: there is nothing until the bell rings.
    dry: bool,
}

impl Outlook<'_> {
    fn look_anew(&mut self) {
        self.looked_everywhere = None;
        self.lines.iter_mut().for_each(|line| line.dry = false);
    }

    fn is_dry(&self) -> bool {
        self.lines.iter().all(|line| line.dry)
    }

    fn has_room(&self, slots: &Slots) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| !line.dry && slots.free(line.group) > 0)
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
        let line = |group| Line { group, dry: false };
        let mut outlook = Outlook {
            lines: slots.groups().iter().map(line).collect(),
            looked_everywhere: None,
            is_unsure: false,
        };
        let mut patience = Patience::default();
        while !stop.is_cancelled() {
            if self.wakeups.was_rung() {
                outlook.look_anew();
            }
            // A stop need not wait for the store: what a claim that is cut off has taken is
            // given back with the session.
            let claiming = self.claim_round(&mut outlook);
            let Some(result) = stop.run_until_cancelled(claiming).await else {
                return;
            };
            if let Err(error) = result {
                warn!(error = %Chain(&error), "failed to claim jobs");
                outlook.look_anew();
                outlook.is_unsure = true;
                let pause = tokio::time::sleep(patience.next_wait());
                stop.run_until_cancelled(pause).await;
                continue;
            }
            patience.reset();

            if outlook.is_dry() && self.mode == Mode::Drain {
                if self.is_drained(&mut outlook, stop).await {
                    return;
                }
            } else if outlook.is_dry() {
                stop.run_until_cancelled(self.wakeups.next()).await;
                outlook.look_anew();
            } else if outlook.has_room(&slots) {
                slots.half_free(Self::GATHER_SLOTS).await;
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = slots.freed() => {}
                    () = self.wakeups.next() => outlook.look_anew(),
                }
            }
        }
    }

    /// Claims for the lines that may have jobs, as many as there are free slots. Returns how
    /// many it claimed.
    async fn claim_round(&self, outlook: &mut Outlook<'_>) -> Result<usize> {
        if outlook.is_unsure {
            self.reconcile().await?;
            outlook.is_unsure = false;
        }
        let mut total = 0;
        let is_recent = |at: Instant| at.elapsed() < Self::LOOK_EVERYWHERE_EVERY;
        if outlook.looked_everywhere.is_some_and(is_recent) {
            let claimed = self.claim(outlook, Look::Onward).await?;
            total += claimed.jobs;
            if claimed.is_full {
                return Ok(total);
            }
        }
        outlook.looked_everywhere = Some(Instant::now());
        total += self.claim(outlook, Look::Everywhere).await?.jobs;
        Ok(total)
    }

    /// Claims once, for all lines that have room. A look everywhere learns which are dry.
    async fn claim(&self, outlook: &mut Outlook<'_>, look: Look) -> Result<Claimed> {
        let room = |line: &Line<'_>| match self.slots.free(line.group) {
            free if !line.dry => free,
            _ => 0,
        };
        let room: Vec<usize> = outlook.lines.iter().map(room).collect();
        let open = || {
            outlook
                .lines
                .iter()
                .zip(&room)
                .filter(|(_, room)| **room > 0)
        };
        let kinds: Vec<&str> = open()
            .flat_map(|(line, _)| line.group.kinds.iter().copied())
            .collect();
        if kinds.is_empty() {
            return Ok(Claimed {
                jobs: 0,
                is_full: true,
            });
        }
        let bounds: Vec<Bound<'_>> = open()
            .filter(|(line, _)| line.group.is_bounded())
            .map(|(line, room)| Bound {
                kinds: &line.group.kinds,
                limit: u32::try_from(*room).unwrap_or(u32::MAX),
            })
            .collect();
        let session = self.sessions.current();
        let limit = self.slots.free_in_all();
        let request = ClaimRequest {
            session: session.id,
            kinds: &kinds,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            bounds: &bounds,
            look,
        };
        let jobs = in_time(LONGEST_CALL, self.store.claim(&request)).await?;

        let claimed = jobs.len();
        let of_line = |line: &Line<'_>| {
            let is_its = |job: &&ClaimedJob| line.group.kinds.contains(&job.kind.as_str());
            jobs.iter().filter(is_its).count()
        };
        let mut is_full = true;
        if claimed < limit {
            for (line, room) in outlook.lines.iter_mut().zip(room) {
                let came_short = of_line(line) < room;
                is_full &= !came_short;
                line.dry |= came_short && look == Look::Everywhere;
            }
        }
        for job in jobs {
            session.received(job.key);
            let slot = self.slots.take(&job.kind);
            self.attempts.start(job, session.clone(), slot);
        }
        Ok(Claimed {
            jobs: claimed,
            is_full,
        })
    }

    /// Gives back the jobs of a claim whose reply was lost: nobody here knows of them, and
    /// they would be this worker's as long as it lives.
    async fn reconcile(&self) -> Result<()> {
        let session = self.sessions.current();
        let held = session.held();
        let reconciling = self.store.reconcile(session.id, &held);
        let given_back = in_time(LONGEST_CALL, reconciling).await?;
        if given_back > 0 {
            warn!(given_back, "gave back jobs of a claim whose reply was lost");
        }
        Ok(())
    }

    /// Whether a drain has come to its end: nothing runs, everything is written, and nothing
    /// has become due. Otherwise waits until it is worth another look.
    async fn is_drained(&mut self, outlook: &mut Outlook<'_>, stop: &CancellationToken) -> bool {
        outlook.look_anew();
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
            let promotion = in_time(LONGEST_CALL, self.store.promote(Self::PROMOTE)).await?;
            // What was settled may have become available again.
            let claimed = self.claim_round(outlook).await?;
            // A job that was claimed just now may be through already, and not yet written.
            let nothing_left = promotion.promoted == 0 && claimed == 0;
            // A session that is gone claims nothing either.
            Ok::<bool, Error>(nothing_left && self.sessions.is_alive().await?)
        };
        match settled.await {
            Ok(is_drained) => is_drained,
            Err(error) => {
                warn!(error = %Chain(&error), "failed to look for due jobs");
                outlook.is_unsure = true;
                let pause = tokio::time::sleep(Patience::FIRST);
                stop.run_until_cancelled(pause).await;
                false
            }
        }
    }
}
