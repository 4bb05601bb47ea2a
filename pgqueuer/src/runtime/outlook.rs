//! What a worker knows of the jobs that wait, and so how hard it looks next.

use std::time::{Duration, Instant};

use super::{
    slots::{Group, Slots},
    wakeups::News,
};
use crate::store::Look;

/// What is known of the jobs that wait.
pub(super) struct Outlook<'a> {
    pub(super) lines: Vec<Line<'a>>,
    /// How hard to look next.
    pub(super) next: Look,
    pub(super) looked_everywhere: Instant,
    pub(super) look_took: Duration,
    /// When a claim last brought something.
    pub(super) found: Instant,
    /// Slots have become free under a limit since the last claim.
    pub(super) has_freed: bool,
    /// When it last looked for those.
    looked_for_freed: Option<Instant>,
    /// When to look again for what limits have held back.
    pub(super) held_until: Option<Instant>,
    /// The bell woke the worker, which had nothing to do.
    pub(super) is_rung: bool,
    /// A claim failed: its reply may have been lost on the way.
    pub(super) is_unsure: bool,
}

/// A group of kinds that a bound holds for, or that none holds for.
pub(super) struct Line<'a> {
    pub(super) group: &'a Group,
    /// The last look at its lanes found too little: there is nothing until the bell rings.
    pub(super) dry: bool,
}

impl<'a> Outlook<'a> {
    /// Nothing is known.
    pub(super) fn of(groups: &'a [Group]) -> Self {
        let line = |group| Line { group, dry: false };
        Self {
            lines: groups.iter().map(line).collect(),
            next: Look::Everywhere,
            looked_everywhere: Instant::now(),
            look_took: Duration::ZERO,
            found: Instant::now(),
            has_freed: false,
            looked_for_freed: None,
            held_until: None,
            is_rung: false,
            is_unsure: false,
        }
    }

    /// To look again, since time has passed or something has changed.
    pub(super) fn look_anew(&mut self) {
        if self.next == Look::Onward {
            self.next = Look::Known;
        }
        self.lines.iter_mut().for_each(|line| line.dry = false);
    }

    pub(super) fn hear(&mut self, news: Option<News>) {
        match news {
            None => {}
            // A busy worker goes on, and looks for these besides.
            Some(News::Freed) => {
                self.has_freed = true;
                self.lines.iter_mut().for_each(|line| line.dry = false);
            }
            Some(News::Jobs | News::Lanes) => {
                self.has_freed = true;
                self.look_anew();
            }
        }
        if news == Some(News::Lanes) {
            self.next = Look::Everywhere;
        }
    }

    /// Whether the next claim is to look for slots that have become free. A worker that is busy with
    /// other jobs does not do so each time: it is a statement more.
    pub(super) fn take_freed(&mut self) -> bool {
        let is_recent = |at: Instant| at.elapsed() < Self::LOOK_FOR_FREED_EVERY;
        let is_too_soon = self.looked_for_freed.is_some_and(is_recent);
        if !self.has_freed || self.next == Look::Onward && is_too_soon {
            return false;
        }
        self.has_freed = false;
        self.looked_for_freed = Some(Instant::now());
        true
    }

    /// Nobody rings for this worker: what limits held back may be free, or other keys may have jobs.
    pub(super) fn look_for_freed(&mut self) {
        let is_recent = |at: Instant| at.elapsed() < Self::LOOK_FOR_FREED_EVERY;
        self.has_freed |= !self.looked_for_freed.is_some_and(is_recent);
    }

    /// Guess: short beside most jobs, and long beside a claim.
    const LOOK_FOR_FREED_EVERY: Duration = Duration::from_millis(5);

    /// Takes in what a claim says of limits.
    pub(super) fn hold_back(&mut self, held_back: Option<Duration>) {
        self.held_until = held_back.and_then(|it| Instant::now().checked_add(spread_up(it)));
    }

    /// A time that has come is not to be waited for again: a worker whose slots are all taken would
    /// do nothing else.
    pub(super) fn forget_what_is_over(&mut self) {
        let is_over = |at: &Instant| *at <= Instant::now();
        self.held_until = self.held_until.filter(|at| !is_over(at));
    }

    pub(super) fn is_dry(&self) -> bool {
        self.lines.iter().all(|line| line.dry)
    }

    pub(super) fn has_room(&self, slots: &Slots) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| !line.dry && slots.free(line.group) > 0)
    }
}

/// A little later, so that the workers of a fleet do not look in step.
fn spread_up(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + 0.1 * fastrand::f64()) + Duration::from_micros(fastrand::u64(0..1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_waited_for_once() {
        let mut outlook = Outlook::of(&[]);
        outlook.hold_back(Some(Duration::from_secs(60)));
        outlook.forget_what_is_over();
        assert!(outlook.held_until.is_some());

        outlook.held_until = Some(Instant::now());
        outlook.forget_what_is_over();
        assert_eq!(outlook.held_until, None);
    }

    #[test]
    fn a_busy_worker_looks_for_freed_slots_now_and_then() {
        let mut outlook = Outlook::of(&[]);
        outlook.hear(Some(News::Freed));
        assert!(outlook.take_freed());
        outlook.next = Look::Onward;
        outlook.hear(Some(News::Freed));
        assert!(!outlook.take_freed());
        // One that has nothing else to do looks at once.
        outlook.next = Look::Known;
        assert!(outlook.take_freed());
        assert!(!outlook.take_freed());
    }
}
