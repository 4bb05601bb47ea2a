//! Resting: what a worker does when there is nothing for it.
//!
//! An idle worker asks for the bell and sleeps until it rings. Ringing costs every producer: the
//! database lets no two transactions that ring commit at the same time. So a worker that is rung
//! for too often declines the bell, and looks by itself every few milliseconds instead, until
//! that has been in vain for a while.
//!
//! Who was writing while the bell was armed may have seen it unarmed. Until all those have
//! committed or rolled back, the worker looks again every now and then.

use std::time::{Duration, Instant};

use super::{SHORT_CALL, in_time, session::Sessions, wakeups::Wakeups};
use crate::{
    error::{Chain, Result},
    store::{Horizon, SessionId, Store},
};

/// How often a worker looks that has declined the bell.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long it looks in vain before it asks for the bell again.
const LOOK_IN_VAIN: Duration = Duration::from_millis(50);

/// So many rings within [`WATCH`] are too many. 250 a second cost producers next to nothing;
/// 4,500 are all that the database can do.
const TOO_MANY_RINGS: u64 = 25;
const WATCH: Duration = Duration::from_millis(100);

/// The first wait for those who were writing, doubled each time, up to the longest: they may
/// write for hours, and each ring ends a wait.
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How a worker learns of new jobs.
pub(super) struct Rest {
    state: State,
    watched: (Instant, u64),
    /// It has not rested before.
    is_new: bool,
}

/// What to do after a step.
enum Next {
    Rest,
    Look,
}

enum State {
    /// It looks by itself.
    Unarmed,
    /// It is rung for, except by those who were writing before this horizon.
    Arming(SessionId, Horizon, Duration),
    Armed(SessionId),
}

impl Rest {
    pub(super) fn new(wakeups: &Wakeups) -> Self {
        Self {
            state: State::Unarmed,
            watched: (Instant::now(), wakeups.rings()),
            is_new: true,
        }
    }

    /// Returns when it is time to look again. `found`: when a look last found something. `until`:
    /// when to look at the latest.
    pub(super) async fn rest(
        &mut self,
        store: &dyn Store,
        sessions: &Sessions,
        wakeups: &mut Wakeups,
        found: Instant,
        until: Option<Instant>,
    ) {
        if !wakeups.listens() {
            return wakeups.next_until(until).await;
        }
        let step = in_time(
            SHORT_CALL,
            self.step(store, sessions.current().id, wakeups, found),
        );
        match step.await {
            Ok(Next::Rest) => {}
            Ok(Next::Look) => return,
            Err(error) => {
                // The next claim fails, too, and says so.
                tracing::debug!(error = %Chain(&error), "failed to arm the bell");
                self.state = State::Unarmed;
                wakeups.set_armed(false);
                wakeups.next_until(until).await;
                return;
            }
        }
        match &mut self.state {
            State::Unarmed => tokio::time::sleep(LOOK_EVERY).await,
            State::Armed(_) => wakeups.next_until(until).await,
            State::Arming(_, _, wait) => {
                *wait = (*wait * 2).min(LONGEST_WAIT);
                let wait = *wait;
                tokio::select! {
                    () = wakeups.next_until(until) => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    async fn step(
        &mut self,
        store: &dyn Store,
        session: SessionId,
        wakeups: &Wakeups,
        found: Instant,
    ) -> Result<Next> {
        let is_rung_too_often = self.is_rung_too_often(wakeups);
        match self.state {
            State::Unarmed if found.elapsed() > LOOK_IN_VAIN || self.is_new => {
                let horizon = store.arm_bell(session, true).await?;
                wakeups.set_armed(true);
                self.is_new = false;
                self.state = State::Arming(session, horizon, FIRST_WAIT);
            }
            State::Unarmed => {}
            // Another session has begun, which nobody rings for.
            State::Arming(armed, ..) | State::Armed(armed) if armed != session => {
                self.state = State::Unarmed;
                wakeups.set_armed(false);
            }
            State::Arming(..) | State::Armed(_) if is_rung_too_often => {
                store.arm_bell(session, false).await?;
                wakeups.set_armed(false);
                self.state = State::Unarmed;
            }
            State::Arming(_, horizon, _) => {
                if store.has_passed(horizon).await? {
                    self.state = State::Armed(session);
                    // What the last of those has written came after the last look.
                    return Ok(Next::Look);
                }
            }
            State::Armed(_) => {}
        }
        Ok(Next::Rest)
    }

    fn is_rung_too_often(&mut self, wakeups: &Wakeups) -> bool {
        let (since, before) = self.watched;
        let rings = wakeups.rings();
        if since.elapsed() > WATCH {
            self.watched = (Instant::now(), rings);
        }
        rings - before >= TOO_MANY_RINGS
    }
}
