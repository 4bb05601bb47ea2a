//! Whatever is written as a cron expression and a time zone, it is refused with words, or says when
//! it comes next, which is later.
#![no_main]

use chrono::{DateTime, TimeDelta, Utc};
use libfuzzer_sys::fuzz_target;

#[path = "../../../pgqueuer/src/cron.rs"]
mod expressions;

use expressions::{CronExpression, parse_zone};

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Oslo",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
];

fuzz_target!(|input: (i64, u8, &str)| {
    let (seconds, zone, text) = input;
    let _ = parse_zone(text);
    let expression = match CronExpression::parse(text) {
        Ok(expression) => expression,
        Err(problem) => {
            assert!(problem.len() > 10, "{problem}");
            return;
        }
    };
    let zone = parse_zone(ZONES[usize::from(zone) % ZONES.len()]).expect("it is in the database");
    // From 1970 to 2200, where schedules live.
    let seconds = seconds.rem_euclid(230 * 365 * 24 * 60 * 60);
    let mut after = DateTime::from_timestamp(seconds, 0).expect("it is a date");
    for _ in 0..3 {
        let Some(next) = expression.next_after(after, zone) else {
            return;
        };
        assert!(next > after, "{text}: {next} does not come after {after}");
        assert_eq!(next.timestamp_subsec_nanos(), 0);
        let same: DateTime<Utc> = expression
            .next_after(next - TimeDelta::seconds(1), zone)
            .expect("it was there");
        assert!(same <= next, "{text}: {same} after a second before {next}");
        after = next;
    }
});
