//! Lanes: which ones to read, from where, and in what order.
//!
//! A lane is a kind and a priority. An index that is read from its head walks over every entry
//! of finished jobs that vacuum has not removed yet, and slows down with their number
//! (`docs/decisions/0004-claims.md`). So there are two marks in each lane, both hints:
//!
//! - the **cursor**: how far this process has claimed. A look onward begins there.
//! - the **low-water mark**: below it, nothing is left for anybody. Whole lanes are read from
//!   there. A position is taken before its job is committed, so the mark trails until all that
//!   was being written has been written; workers share it in the table of lanes.
//!
//! Marks hold as long as the connection on which they were found. A server that has crashed, or a
//! standby that took its place, gives out again those positions that nothing had made it write
//! down; what is enqueued there would lie below the marks. Those in the table are as the server
//! has them, and hold.
//!
//! A claim that is rolled back may leave jobs behind the marks of those who passed it by.
//! `requeue_stranded.sql` brings them back.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use foldhash::{HashMap, HashMapExt as _};

use super::rows::{ClaimedRow, HorizonRow, LaneReport, LaneRow};
use crate::store::{ClaimRequest, Look};

/// What this process knows of the lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<LaneBook>);

impl Lanes {
    pub(super) fn with<T>(&self, read: impl FnOnce(&mut LaneBook) -> T) -> T {
        // The book is a hint: one that a panic left half-written is still good.
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut book)
    }
}

#[derive(Debug, Default)]
pub(super) struct LaneBook {
    /// The number of the connection on which all this was found.
    connection: u64,
    lanes: HashMap<String, BTreeMap<i16, Lane>>,
    /// Counts claims, to take turns among lanes of one priority.
    turn: usize,
    horizons: Horizons,
    shared_at: Option<Instant>,
    company: Company,
}

/// Whether other workers claim here.
#[derive(Debug, Default)]
struct Company {
    sessions: i64,
    /// When a row was locked by somebody who did not let go of it.
    hindered: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    cursor: i64,
    low_water: i64,
    /// The low-water mark that the table of lanes has.
    shared: i64,
    /// There was nothing left at the last look. Looks onward leave it out while there are
    /// others.
    dry: bool,
    /// Claims go by limits.
    is_limited: bool,
    /// By limits for each key: then it has no cursor, but goes on from this key.
    is_keyed: bool,
    after_key: String,
    /// Until when limits hold back what there is, as far as is known.
    held_until: Option<Instant>,
    is_paused: bool,
}

/// How far positions are settled: committed, or rolled back.
#[derive(Debug, Default)]
struct Horizons {
    has_passed: bool,
    /// `position` is settled when no transaction before `next` is under way.
    pending: Option<HorizonRow>,
    settled: i64,
    /// Settled one horizon earlier: so that the claims are over, too, that were under way when
    /// the line was last read up to there.
    long_settled: i64,
    has_claimed: bool,
}

/// The lanes of one claim, as the columns that go into the statement.
#[derive(Debug, Default)]
pub(super) struct LaneColumns {
    pub(super) kinds: Vec<String>,
    pub(super) priorities: Vec<i16>,
    pub(super) cursors: Vec<i64>,
    pub(super) after_keys: Vec<String>,
    /// Whether these lanes are limited: all of them, or none.
    pub(super) is_limited: bool,
}

impl LaneColumns {
    /// Which bound each lane is under, counted from 1, and how many jobs that allows. Lanes
    /// without one share the limit of the claim.
    pub(super) fn bounds(&self, request: &ClaimRequest<'_>) -> (Vec<i32>, Vec<i64>) {
        let bound_of = |kind: &String| {
            let mut bounds = request.bounds.iter().zip(1_i32..);
            let found = bounds.find(|(bound, _)| bound.kinds.contains(&kind.as_str()));
            found.map_or((0, request.limit), |(bound, number)| (number, bound.limit))
        };
        let bounds = self.kinds.iter().map(bound_of);
        bounds
            .map(|(number, limit)| (number, i64::from(limit)))
            .unzip()
    }
}

/// What a claim took out of one lane.
#[derive(Clone, Copy)]
struct Taken {
    first: i64,
    last: i64,
}

impl LaneBook {
    /// By how much a mark must have moved to be worth sharing now and then. A guess, as
    /// `SHARE_EVERY` is.
    const SHARE_FROM: i64 = 1000;

    /// By how much, to be shared at once: where vacuum is kept from its work, a new worker walks
    /// over that many dead entries in some milliseconds.
    const SHARE_AT_ONCE_FROM: i64 = 10_000;

    /// For how long to pass locked rows by, once somebody has kept one. A guess: who keeps one
    /// for long may keep the next, and each costs a wait.
    const HINDERED_FOR: Duration = Duration::from_secs(60);

    /// Whether what is known was found on this connection. If not, it is forgotten, and the lanes
    /// are to be learned anew.
    pub(super) fn holds_for(&mut self, connection: u64) -> bool {
        if self.connection == connection {
            return true;
        }
        self.lanes.clear();
        self.horizons = Horizons::default();
        self.connection = connection;
        false
    }

    /// Takes in the lanes that are in use.
    pub(super) fn learn(&mut self, found: Vec<LaneRow>) {
        for row in found {
            let lane = self.lanes.entry(row.kind).or_default();
            let lane = lane.entry(row.priority).or_default();
            lane.is_limited = row.is_limited;
            lane.is_keyed = row.is_keyed;
            lane.is_paused = row.is_paused;
            lane.shared = row.low_water;
            lane.low_water = lane.low_water.max(row.low_water);
            lane.cursor = lane.cursor.max(row.low_water);
        }
    }

    /// Whether a horizon would move a mark.
    pub(super) fn wants_horizon(&self) -> bool {
        let horizons = &self.horizons;
        !horizons.has_passed || horizons.has_claimed || horizons.long_settled < horizons.settled
    }

    pub(super) fn pass(&mut self, horizon: HorizonRow) {
        self.company.sessions = horizon.sessions;
        let horizons = &mut self.horizons;
        horizons.has_passed = true;
        let pending = horizons.pending.take();
        let settled = match pending {
            // Nothing is under way at all.
            _ if horizon.oldest >= horizon.next => horizon.position,
            Some(pending) if horizon.oldest < pending.next => {
                horizons.pending = Some(pending);
                return;
            }
            Some(pending) => {
                horizons.pending = Some(horizon);
                pending.position
            }
            None => {
                horizons.pending = Some(horizon);
                return;
            }
        };
        horizons.has_claimed = false;
        horizons.long_settled = horizons.settled;
        horizons.settled = settled;
    }

    /// Whether a claim may do without locks: nobody else claims, and nobody held it up of late.
    pub(super) fn is_alone(&self) -> bool {
        let is_recent = |at: Instant| at.elapsed() < Self::HINDERED_FOR;
        self.company.sessions == 1 && !self.company.hindered.is_some_and(is_recent)
    }

    pub(super) fn note_hindrance(&mut self) {
        self.company.hindered = Some(Instant::now());
    }

    /// The lanes of these kinds, highest priority first. Within a priority those with limits
    /// come first, and then the first turn goes round. In runs, of which each has limits or has
    /// none. And how long until those are to be looked at that are left out, since limits hold back
    /// what they have.
    pub(super) fn in_order(
        &mut self,
        request: &ClaimRequest<'_>,
    ) -> (Vec<LaneColumns>, Option<Duration>) {
        let kinds = request.kinds;
        let known = |kind: &&str| self.lanes.get(*kind).into_iter().flatten();
        // If all are dry, then any of them may have jobs again.
        let all_dry = kinds.iter().flat_map(known).all(|(_, lane)| lane.dry);
        let mut held_back = None;
        let mut lanes: Vec<(Reverse<i16>, bool, usize, &str, &Lane)> = Vec::new();
        for (place, kind) in kinds.iter().enumerate() {
            let turn = (place + self.turn) % kinds.len();
            for (priority, lane) in self.lanes.get(*kind).into_iter().flatten() {
                if lane.is_paused || request.look == Look::Onward && lane.dry && !all_dry {
                    continue;
                }
                if let Some(wait) = lane.held_back()
                    && request.look != Look::Everywhere
                    && !request.has_freed
                {
                    held_back = held_back.into_iter().chain([wait]).min();
                    continue;
                }
                lanes.push((Reverse(*priority), !lane.is_limited, turn, kind, lane));
            }
        }
        lanes.sort_unstable_by_key(|(priority, is_free, turn, ..)| (*priority, *is_free, *turn));
        let runs = lanes.chunk_by(|a, b| a.4.is_limited == b.4.is_limited);
        let runs = runs.map(|run| LaneColumns {
            kinds: run.iter().map(|lane| lane.3.to_owned()).collect(),
            priorities: run.iter().map(|lane| lane.0.0).collect(),
            cursors: run.iter().map(|lane| lane.4.from(request.look)).collect(),
            after_keys: run.iter().map(|lane| lane.4.after_key.clone()).collect(),
            is_limited: run.iter().any(|lane| lane.4.is_limited),
        });
        let runs = runs.collect();
        self.turn = self.turn.wrapping_add(1);
        (runs, held_back)
    }

    /// Moves the marks on after a claim, in whose order these lanes were.
    pub(super) fn note(
        &mut self,
        request: &ClaimRequest<'_>,
        read: &LaneColumns,
        claimed: &[ClaimedRow],
    ) {
        let mut taken: HashMap<(&str, i16), Taken> = HashMap::new();
        for row in claimed {
            let (first, last) = (row.position, row.position);
            taken
                .entry((row.job.kind.as_str(), row.job.priority))
                .and_modify(|it| {
                    it.first = it.first.min(first);
                    it.last = it.last.max(last);
                })
                .or_insert(Taken { first, last });
        }
        self.horizons.has_claimed |= !claimed.is_empty();
        let is_full = claimed.len() >= request.limit as usize;
        let lanes = read.kinds.iter().zip(&read.priorities);
        let of =
            |(kind, priority): (&String, &i16)| taken.get(&(kind.as_str(), *priority)).copied();
        let taken_from: Vec<Option<Taken>> = lanes.clone().map(of).collect();
        let last_read = taken_from.iter().rposition(Option::is_some);
        for (place, (kind, priority)) in lanes.enumerate() {
            let taken = taken_from[place];
            // A claim stops at the lane that fills it. With bounds and limits, nobody can tell
            // from here which lane was cut short.
            let is_bounded = !request.bounds.is_empty() || read.is_limited;
            let read_to_end = !is_bounded && (!is_full || Some(place) < last_read);
            let known = self.lanes.get_mut(kind);
            if let Some(known) = known.and_then(|it| it.get_mut(priority)) {
                known.note(
                    taken,
                    read_to_end,
                    (request.look != Look::Onward).then_some(self.horizons.long_settled),
                );
            }
        }
    }

    /// Takes in what a claim under limits has found, besides the jobs.
    pub(super) fn note_limits(&mut self, read: &LaneColumns, reports: Vec<LaneReport>) {
        for report in reports {
            let lane = read
                .kinds
                .get(report.lane)
                .zip(read.priorities.get(report.lane));
            let Some((kind, priority)) = lane else {
                continue;
            };
            let lane = self.lanes.get_mut(kind).and_then(|it| it.get_mut(priority));
            if let Some(lane) = lane {
                lane.after_key = report.next_key;
                lane.dry = report.held_back.is_none();
                lane.held_until = report
                    .held_back
                    .and_then(|it| Instant::now().checked_add(it));
            }
        }
    }

    /// The marks that others should know of: fewer, if the last were told not so long ago.
    pub(super) fn unshared(&mut self, every: Duration) -> Option<LaneColumns> {
        let is_recent = |at: Instant| at.elapsed() < every;
        let from = match self.shared_at.is_some_and(is_recent) {
            true => Self::SHARE_AT_ONCE_FROM,
            false => Self::SHARE_FROM,
        };
        let mut columns = LaneColumns::default();
        for (kind, priorities) in &mut self.lanes {
            for (priority, lane) in priorities {
                if lane.low_water >= lane.shared.saturating_add(from) {
                    lane.shared = lane.low_water;
                    columns.kinds.push(kind.clone());
                    columns.priorities.push(*priority);
                    columns.cursors.push(lane.low_water);
                }
            }
        }
        if columns.kinds.is_empty() {
            return None;
        }
        self.shared_at = Some(Instant::now());
        Some(columns)
    }
}

impl Lane {
    /// For how much longer limits hold back what there is, as far as is known.
    fn held_back(&self) -> Option<Duration> {
        let left = self.held_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// From where a look begins.
    fn from(&self, look: Look) -> i64 {
        match look {
            Look::Onward => self.cursor,
            Look::Known | Look::Everywhere => self.low_water,
        }
    }

    /// `settled`: the lane was read from its low-water mark, and positions up to here are settled.
    fn note(&mut self, taken: Option<Taken>, read_to_end: bool, settled: Option<i64>) {
        self.dry = read_to_end;
        if self.is_keyed {
            return;
        }
        if let Some(taken) = taken {
            self.cursor = self.cursor.max(taken.last);
        }
        let Some(settled) = settled else { return };
        let done = match taken {
            Some(taken) => settled.min(taken.first - 1),
            None if read_to_end => settled,
            None => return,
        };
        self.low_water = self.low_water.max(done);
        self.cursor = self.cursor.max(self.low_water);
    }
}
