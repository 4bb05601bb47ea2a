//! What was done, minute by minute. One for all sessions: nobody waits for anybody here.

use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use super::state::Memory;
use crate::store::{MinuteRecord, MinuteToAdd};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// The beginning of time, if it was before that.
fn before(now: DateTime<Utc>, ago: Duration) -> DateTime<Utc> {
    let ago = TimeDelta::from_std(ago).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(ago)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

impl Memory {
    pub(super) fn add_minutes(&mut self, minutes: &[MinuteToAdd], now: DateTime<Utc>) {
        for added in minutes {
            let time = before(now, added.ago);
            let minute = time.duration_trunc(MINUTE).unwrap_or(time);
            let key = (minute, added.kind.clone());
            self.minutes.entry(key).or_default().add(&added.measures);
            let total = self.totals.entry(added.kind.clone()).or_default();
            total.add(&added.measures);
        }
    }

    pub(super) fn list_minutes(&self, last: Duration, now: DateTime<Utc>) -> Vec<MinuteRecord> {
        let begin = before(now, last);
        self.minutes
            .iter()
            .filter(|((minute, _), _)| *minute + MINUTE > begin)
            .map(|((minute, kind), it)| MinuteRecord::new(*minute, kind.clone(), it.tally))
            .collect()
    }

    pub(super) fn forget_minutes(&mut self, keep: Duration, limit: u32, now: DateTime<Utc>) -> u64 {
        let end = before(now, keep);
        let old: Vec<_> = self
            .minutes
            .keys()
            .filter(|(minute, _)| *minute + MINUTE <= end)
            .take(limit as usize)
            .cloned()
            .collect();
        for key in &old {
            self.minutes.remove(key);
        }
        old.len() as u64
    }
}
