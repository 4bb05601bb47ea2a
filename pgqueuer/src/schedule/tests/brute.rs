//! The next slot, found by looking at one minute after another: slow, and plainly right.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use crate::cron::CronExpression;

/// Minute, hour, day of the month, month, weekday: what matches, and whether that was a `*`.
struct Fields([(BTreeSet<u32>, String); 5]);

const ZONES: [Tz; 8] = [
    Tz::UTC,
    Tz::Europe__Oslo,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Casablanca,
    Tz::America__Santiago,
    Tz::Asia__Kathmandu,
    Tz::Antarctica__Troll,
];

/// One field: a star, a step, a number, a range, or a list of these; with what it means.
fn field(first: u32, last: u32) -> impl Strategy<Value = (BTreeSet<u32>, String)> {
    let part = prop_oneof![
        (first..=last).prop_map(|it| (BTreeSet::from([it]), it.to_string())),
        (first..=last, first..=last, 1_u32..5).prop_map(move |(from, to, step)| {
            let count = last - first + 1;
            let end = if from <= to { to } else { to + count };
            let values = (from..=end).step_by(step as usize);
            let values = values.map(|it| (it - first) % count + first).collect();
            let step = if step == 1 {
                String::new()
            } else {
                format!("/{step}")
            };
            (values, format!("{from}-{to}{step}"))
        }),
    ];
    let list = proptest::collection::vec(part, 1..4).prop_map(|parts| {
        let (values, texts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        (values.into_iter().flatten().collect(), texts.join(","))
    });
    prop_oneof![
        3 => Just(((first..=last).collect(), "*".to_owned())),
        1 => (2..=last).prop_map(move |step| {
            ((first..=last).step_by(step as usize).collect(), format!("*/{step}"))
        }),
        3 => list,
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    (
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 6),
    )
        .prop_map(|(a, b, c, d, e)| Fields([a, b, c, d, e]))
}

pub(super) fn expressions() -> impl Strategy<Value = String> {
    fields().prop_map(|it| it.text())
}

impl Fields {
    fn text(&self) -> String {
        self.0.each_ref().map(|it| it.1.as_str()).join(" ")
    }

    /// Whether a clock that shows this is at a match.
    fn match_clock(&self, clock: &(impl Datelike + Timelike)) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let is_day = day.0.contains(&clock.day());
        let is_weekday = weekday.0.contains(&clock.weekday().num_days_from_sunday());
        let is_date = match (day.1.as_str(), weekday.1.as_str()) {
            ("*", _) => is_weekday,
            (_, "*") => is_day,
            _ => is_day || is_weekday,
        };
        minute.0.contains(&clock.minute())
            && hour.0.contains(&clock.hour())
            && month.0.contains(&clock.month())
            && is_date
    }

    fn is_interval(&self) -> bool {
        self.0[..2].iter().any(|it| it.1.contains(['*', '/']))
    }

    /// Whether this minute is a slot.
    fn is_slot(&self, time: DateTime<Utc>, zone: Tz) -> bool {
        let here = time.with_timezone(&zone).naive_local();
        if self.is_interval() {
            return self.match_clock(&here);
        }
        // What the clock shows for the second time is over.
        let minute = TimeDelta::minutes(1);
        let shown_before = (1..=180).any(|ago| {
            let before = time - minute * ago;
            before.with_timezone(&zone).naive_local() == here
        });
        if self.match_clock(&here) && !shown_before {
            return true;
        }
        // The first minute after a gap stands for all of those in it.
        let mut skipped = (time - minute).with_timezone(&zone).naive_local() + minute;
        while skipped < here {
            if self.match_clock(&skipped) {
                return true;
            }
            skipped += minute;
        }
        false
    }
}

/// From a while before the clocks are changed, or from anywhere.
fn starts() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    (
        proptest::sample::select(&ZONES[..]),
        1_577_836_800_i64..1_893_456_000,
        any::<bool>(),
    )
        .prop_map(|(zone, seconds, is_near)| {
            let anywhere = DateTime::from_timestamp(seconds, 0).unwrap();
            let offset = |time: &DateTime<Utc>| {
                let here = time.with_timezone(&zone).naive_local();
                here - time.naive_utc()
            };
            let days = (0..400).map(|day| anywhere + TimeDelta::days(day));
            let changed = days
                .clone()
                .zip(days.skip(1))
                .find(|(a, b)| offset(a) != offset(b));
            match changed {
                Some((before, _)) if is_near => (zone, before),
                _ => (zone, anywhere),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Three slots on, each within ten days of minutes; what is further away is not looked for.
    #[test]
    fn the_next_slot_is_the_first_minute_that_is_one(
        fields in fields().prop_map(|it| (it.text(), it)),
        (zone, start) in starts(),
    ) {
        let (text, fields) = fields;
        let Ok(cron) = CronExpression::parse(&text) else {
            // Such as 30 February.
            return Ok(());
        };
        let mut after = start;
        for _ in 0..3 {
            let next = cron.next_after(after, zone).unwrap();
            prop_assert!(next > after, "{} in {}: {} after {}", text, zone, next, after);
            prop_assert_eq!(Some(next), cron.next_after(after, zone));
            prop_assert_eq!(Some(next), cron.next_after(next - TimeDelta::seconds(1), zone));
            let first = after.timestamp().div_euclid(60) + 1;
            let minutes = (first..first + 4 * 24 * 60)
                .map(|it| DateTime::from_timestamp(it * 60, 0).unwrap());
            let found = minutes.clone().find(|it| fields.is_slot(*it, zone));
            match found {
                Some(found) => prop_assert_eq!(next, found, "{} in {} after {}", text, zone, after),
                None => prop_assert!(next > minutes.clone().next_back().unwrap(), "{} in {}: {}", text, zone, next),
            }
            after = next;
        }
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}
