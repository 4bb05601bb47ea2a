//! Whatever is written as a cron expression and a time zone, it is refused with words, or says when
//! it comes next: later, soon found, and again and again.
//!
//! The macro and the program have this parser in common, so what one of them takes, so does the
//! other.
//!
//! An input is where to start (seconds since the Unix epoch, in eight bytes), a byte for the zone,
//! and the expression.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::expressions::{CronExpression, parse_zone};

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Oslo",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
];

/// For one look, with the counters of the fuzzer and on a busy machine. An expression that never
/// comes takes longest: it is looked for until the year 5000.
const SOON: Duration = Duration::from_secs(5);

/// Panics if what the module says does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((seconds, [zone, text @ ..])) = input.split_first_chunk::<8>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if let Err(problem) = parse_zone(text) {
        assert!(
            problem.starts_with(&format!("time zone `{text}` ")),
            "{problem}"
        );
    }
    let parsing = Instant::now();
    let parsed = CronExpression::parse(text);
    assert!(parsing.elapsed() < SOON, "{text}: {:?}", parsing.elapsed());
    match parsed {
        Ok(expression) => {
            let zone = parse_zone(ZONES[usize::from(*zone) % ZONES.len()]);
            // From 1970 to 2200, where schedules live.
            let seconds = i64::from_le_bytes(*seconds).rem_euclid(230 * 365 * 24 * 60 * 60);
            let start = DateTime::from_timestamp(seconds, 0).expect("it is a date");
            follow(
                text,
                &expression,
                zone.expect("it is in the database"),
                start,
            );
        }
        Err(problem) => {
            let reason = problem.strip_prefix(&format!("cron expression `{text}` "));
            assert!(reason.is_some_and(|it| !it.is_empty()), "{problem}");
        }
    }
}

fn follow(text: &str, expression: &CronExpression, zone: Tz, mut after: DateTime<Utc>) {
    for _ in 0..3 {
        let looking = Instant::now();
        let next = expression.next_after(after, zone);
        let took = looking.elapsed();
        assert!(
            took < SOON,
            "{text} in {zone}: {took:?} for what is after {after}"
        );
        let Some(next) = next else {
            panic!("{text} in {zone}: nothing comes after {after}");
        };
        assert!(
            next > after,
            "{text} in {zone}: {next} does not come after {after}"
        );
        assert_eq!(next.timestamp_subsec_nanos(), 0);
        let same = expression.next_after(next - TimeDelta::seconds(1), zone);
        let same = same.expect("it was there");
        assert!(
            same <= next,
            "{text} in {zone}: {same} after a second before {next}"
        );
        after = next;
    }
}
