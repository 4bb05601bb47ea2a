//! The fetcher: when to claim, and how many.
//!
//! It claims as many jobs as there are free slots, and those besides that the worker is about
//! to begin (see [`super::ahead`]). As long as claims come back full it goes on from where it
//! left off, and looks everywhere a few times a second. When a look at whole lanes finds too
//! little, the kinds that came short are left alone until the bell rings or it is time to look
//! anyway (see [`super::rest`]).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    LONGEST_CALL, Mode, Patience, SHORT_CALL,
    ahead::{Ahead, Pace},
    attempt::Attempts,
    in_time,
    meters::Meters,
    outlook::{Line, Outlook},
    rest::Rest,
    session::{Session, Sessions},
    settler::Settler,
    slots::{Group, Slots},
    wakeups::{News, Wakeups},
};
use crate::{
    error::{Chain, Error, Result},
    store::{Bound, ClaimRequest, Claimed, ClaimedJob, Look, Store},
};

pub(super) struct Fetcher {
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Sessions,
    pub(super) slots: Slots,
    pub(super) attempts: Attempts,
    pub(super) settler: Settler,
    pub(super) wakeups: Wakeups,
    pub(super) ahead: Ahead,
    pub(super) pace: Pace,
    pub(super) meters: Meters,
    pub(super) claim_batch: usize,
    pub(super) mode: Mode,
}

/// What a claim brought.
struct Taken {
    jobs: usize,
    /// As many as was asked for: there may be more.
    is_full: bool,
    look: Look,
}

impl Fetcher {
    /// How long a busy worker goes on from where it left off, before it looks everywhere for
    /// a higher priority and for what was slow to commit.
    const LOOK_EVERYWHERE_EVERY: Duration = Duration::from_millis(100);

    /// And at least so many times as long as a look everywhere takes, which depends on the
    /// number of lanes.
    const LOOK_EVERYWHERE_SHARE: u32 = 20;

    /// The same for a worker that sleeps, and has found nothing for as long.
    const LOOK_EVERYWHERE_IDLE: Duration = Duration::from_secs(5);

    /// How long to gather free slots while there are jobs for all of them: a claim costs the
    /// same for one job as for many. Short beside the round trip that it saves.
    const GATHER_SLOTS: Duration = Duration::from_millis(1);

    /// How many due jobs a drain promotes at a time.
    const PROMOTE: u32 = 1000;

    /// How long to wait for the reply of a claim when the worker stops. If it does not come,
    /// its jobs are looked for when the session closes.
    const LAST_CLAIM: Duration = Duration::from_secs(1);

    /// Claims until told to stop; in a drain, until there is nothing left.
    pub(super) async fn run(mut self, stop: &CancellationToken) {
        self.claim_until(stop).await;
        for (job, session) in self.ahead.take_all() {
            self.attempts.give_back(&job, session).await;
        }
    }

    async fn claim_until(&mut self, stop: &CancellationToken) {
        let slots = self.slots.clone();
        let mut outlook = Outlook::of(slots.groups());
        let mut patience = Patience::default();
        let mut rest = Rest::new(&self.wakeups);
        while !stop.is_cancelled() {
            outlook.hear(self.wakeups.news());
            outlook.forget_what_is_over();
            let claiming = self.claim_round(&mut outlook);
            let Some(result) = in_grace(claiming, stop, Self::LAST_CLAIM).await else {
                return;
            };
            if let Err(error) = result {
                warn!(error = %Chain(&error), "failed to claim jobs");
                outlook.hear(Some(News::Lanes));
                outlook.is_unsure = true;
                let pause = tokio::time::sleep(patience.next_wait());
                stop.run_until_cancelled(pause).await;
                continue;
            }
            patience.reset();

            // A slot may have become free just after the last job that was begun.
            self.begin_waiting();
            if self.ahead.len() > 0 {
                self.wait_for_room(&mut outlook, stop).await;
            } else if outlook.is_dry() && self.mode == Mode::Drain {
                if self.is_drained(&mut outlook, stop).await {
                    return;
                }
            } else if outlook.is_dry() {
                let resting = rest.rest(
                    &*self.store,
                    &self.sessions,
                    &mut self.wakeups,
                    outlook.found,
                    outlook.held_until,
                );
                if stop.run_until_cancelled(resting).await.is_none() {
                    return;
                }
                outlook.is_rung = self.wakeups.is_rung();
                outlook.look_anew();
                if !self.wakeups.is_armed() {
                    outlook.look_for_freed();
                }
            } else {
                self.wait_for_room(&mut outlook, stop).await;
            }
        }
    }

    /// Waits until another claim is worth it: slots are free, or what was claimed ahead runs
    /// low. Gives back what was claimed ahead in vain.
    async fn wait_for_room(&mut self, outlook: &mut Outlook<'_>, stop: &CancellationToken) {
        self.begin_waiting();
        let ahead = self.ahead_now();
        if self.ahead.len() * 2 < ahead {
            return;
        }
        if self.ahead.len() == 0 && outlook.has_room(&self.slots) {
            self.slots.half_free(Self::GATHER_SLOTS).await;
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.slots.freed() => {}
            () = self.ahead.falls_to(ahead / 2), if ahead > 0 => {}
            () = self.ahead.is_overdue() => {
                for (job, session) in self.ahead.take_overdue() {
                    self.attempts.give_back(&job, session).await;
                }
            }
            () = self.wakeups.next_until(outlook.held_until) => outlook.look_anew(),
        }
    }

    /// How many jobs to have claimed ahead. A bound of a queue leaves no room for that.
    fn ahead_now(&mut self) -> usize {
        if self.slots.groups().iter().any(Group::is_bounded) {
            return 0;
        }
        self.pace.ahead(&self.ahead).min(self.claim_batch * 2)
    }

    /// Begins what was claimed ahead, as far as there are slots.
    fn begin_waiting(&self) {
        while self.ahead.len() > 0 {
            let Some(slot) = self.slots.try_take() else {
                return;
            };
            let Some((job, session)) = self.ahead.pop() else {
                return;
            };
            self.attempts.start(job, session, slot);
        }
    }

    /// Claims for the lines that may have jobs. Returns how many it claimed.
    async fn claim_round(&mut self, outlook: &mut Outlook<'_>) -> Result<usize> {
        if outlook.is_unsure {
            self.reconcile().await?;
            outlook.is_unsure = false;
        }
        let since = outlook.looked_everywhere.elapsed();
        let is_idle = outlook.found.elapsed() > Self::LOOK_EVERYWHERE_IDLE;
        let share = outlook.look_took * Self::LOOK_EVERYWHERE_SHARE;
        let busy = Self::LOOK_EVERYWHERE_EVERY.max(share);
        if since > Self::LOOK_EVERYWHERE_IDLE || since > busy && !is_idle {
            outlook.next = Look::Everywhere;
        }
        let mut claimed = self.claim(outlook).await?;
        let mut total = claimed.jobs;
        if !claimed.is_full && claimed.look == Look::Onward {
            outlook.next = Look::Known;
            claimed = self.claim(outlook).await?;
            total += claimed.jobs;
        }
        outlook.next = if claimed.is_full {
            Look::Onward
        } else {
            Look::Known
        };
        Ok(total)
    }

    /// Claims once, for all lines that have room. A look at whole lanes learns which are dry.
    async fn claim(&mut self, outlook: &mut Outlook<'_>) -> Result<Taken> {
        let look = outlook.next;
        let ahead = self.ahead_now();
        let ahead = ahead.saturating_sub(self.ahead.len());
        let room = |line: &Line<'_>| match self.slots.free(line.group) + ahead {
            free if !line.dry => free.min(self.claim_batch),
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
            return Ok(Taken {
                jobs: 0,
                is_full: true,
                look,
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
        let limit = (self.slots.free_in_all() + ahead).min(self.claim_batch);
        let request = ClaimRequest {
            session: session.id,
            kinds: &kinds,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            bounds: &bounds,
            look,
            has_freed: outlook.take_freed(),
        };
        session.set_unsure(true);
        let began = Instant::now();
        let claimed = in_time(SHORT_CALL, self.store.claim(&request)).await;
        let is_rung = std::mem::take(&mut outlook.is_rung);
        self.meters.claimed(began, &claimed, is_rung);
        let Claimed { jobs, held_back } = claimed?;
        session.set_unsure(false);
        outlook.hold_back(held_back);

        let claimed = jobs.len();
        self.pace.note_claimed(&jobs);
        if look == Look::Everywhere {
            outlook.looked_everywhere = Instant::now();
            outlook.look_took = began.elapsed();
        }
        if claimed > 0 {
            outlook.found = Instant::now();
        }
        let of_line = |line: &Line<'_>| {
            let is_its = |job: &&ClaimedJob| line.group.kinds.contains(&job.kind.as_str());
            jobs.iter().filter(is_its).count()
        };
        let mut is_full = true;
        if claimed < limit {
            for (line, room) in outlook.lines.iter_mut().zip(room) {
                let came_short = of_line(line) < room;
                is_full &= !came_short;
                line.dry |= came_short && look != Look::Onward;
            }
        }
        self.begin(jobs, &session);
        Ok(Taken {
            jobs: claimed,
            is_full,
            look,
        })
    }

    /// Begins as many as there are slots for; the others wait, in their order.
    fn begin(&self, jobs: Vec<ClaimedJob>, session: &Session) {
        session.received(&jobs);
        if self.slots.groups().iter().any(Group::is_bounded) {
            for job in jobs {
                let slot = self.slots.take(&job.kind);
                self.attempts.start(job, session.clone(), slot);
            }
        } else {
            self.ahead.extend(jobs, session);
            self.begin_waiting();
        }
    }

    /// Gives back the jobs of a claim whose reply was lost: nobody here knows of them, and
    /// they would be this worker's as long as it lives. If it was rolled back instead, others
    /// may have passed its jobs by.
    async fn reconcile(&self) -> Result<()> {
        let session = self.sessions.current();
        let held = session.held();
        let reconciling = self.store.reconcile(session.id, &held);
        let given_back = in_time(LONGEST_CALL, reconciling).await?;
        if given_back > 0 {
            warn!(given_back, "gave back jobs of a claim whose reply was lost");
        }
        // It may read far: a table where it takes too long must not keep the worker from claiming.
        // The upkeep looks as well.
        let requeuing = in_time(LONGEST_CALL, self.store.requeue_stranded());
        if let Err(error) = requeuing.await {
            warn!(error = %Chain(&error), "failed to look for jobs that claims have passed by");
        }
        Ok(())
    }

    /// Whether a drain has come to its end: nothing runs, everything is written, and nothing
    /// has become due. Otherwise waits until it is worth another look.
    async fn is_drained(&mut self, outlook: &mut Outlook<'_>, stop: &CancellationToken) -> bool {
        outlook.hear(Some(News::Lanes));
        if self.attempts.running() > 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.slots.freed() => {}
                () = self.wakeups.next_until(outlook.held_until) => {}
            }
            return false;
        }
        self.settler.flushed().await;
        let session = self.sessions.current().id;
        let settled = async {
            let promotion = in_time(LONGEST_CALL, self.store.promote(Self::PROMOTE)).await?;
            let promoted = u64::from(promotion.promoted);
            self.meters.count(|it| it.promoted += promoted);
            // What was settled may have become available again.
            let claimed = self.claim_round(outlook).await?;
            // A job that was claimed just now may be through already, and not yet written. What
            // limits hold back is left to nobody else.
            let is_held_back = outlook.held_until.is_some();
            let nothing_left = promotion.promoted == 0 && claimed == 0 && !is_held_back;
            // A session that is gone claims nothing either, and another one may have begun since.
            let is_alive = self.sessions.is_alive().await?;
            let is_same = self.sessions.current().id == session;
            Ok::<bool, Error>(nothing_left && is_alive && is_same)
        };
        match settled.await {
            Ok(false) if outlook.held_until.is_some() => {
                let waiting = self.wakeups.next_until(outlook.held_until);
                stop.run_until_cancelled(waiting).await;
                false
            }
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

/// Runs a call to its end; once `stop` fires, only for a while longer.
async fn in_grace<T>(
    call: impl Future<Output = T>,
    stop: &CancellationToken,
    grace: Duration,
) -> Option<T> {
    let out_of_time = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        biased;
        result = call => Some(result),
        () = out_of_time => None,
    }
}
