//! The arithmetic of schedules, against what other implementations say.

use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde::Deserialize;

use super::{Schedule, Ticks};
use crate::cron::{CronExpression, parse_zone};

const VECTORS: &str = include_str!("../../../tests/data/cron_vectors.json");

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    invalid_in_both: Vec<String>,
    croniter_six_field_seconds_last: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    expr: String,
    tz: String,
    start: DateTime<Utc>,
    next_epoch: Vec<i64>,
}

/// On the day on which 02:00 to 03:00 does not exist, others run `15 2,3 * * *` at 03:00 (for
/// 02:15) and at 03:15; croner at 03:15 only. Once is enough.
const DIFFERS: &str = "15 2,3 * * *";

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn next_three(expression: &str, zone: &str, start: DateTime<Utc>) -> Vec<i64> {
    let cron = CronExpression::parse(expression).unwrap();
    let zone = parse_zone(zone).unwrap();
    let next = |it: &DateTime<Utc>| cron.next_after(*it, zone);
    let ticks = std::iter::successors(Some(start), next).skip(1).take(3);
    ticks.map(|it| it.timestamp()).collect()
}

#[test]
fn cron_expressions_tick_when_others_say() {
    let vectors = vectors().vectors;
    assert!(vectors.len() >= 200, "{} vectors", vectors.len());
    for Vector {
        expr,
        tz,
        start,
        next_epoch,
    } in vectors
    {
        if expr != DIFFERS {
            assert_eq!(
                next_three(&expr, &tz, start),
                next_epoch,
                "{expr} in {tz} from {start}"
            );
        }
    }
}

#[test]
fn six_fields_have_their_seconds_first() {
    for Vector {
        expr,
        tz,
        start,
        next_epoch,
    } in vectors().croniter_six_field_seconds_last
    {
        let (rest, seconds) = expr.rsplit_once(' ').unwrap();
        let rotated = format!("{seconds} {rest}");
        assert_eq!(
            next_three(&rotated, &tz, start),
            next_epoch,
            "{rotated} in {tz}"
        );
    }
}

#[test]
fn what_both_others_refuse_is_refused() {
    let mut accepted = vectors().invalid_in_both;
    accepted.retain(|it| CronExpression::parse(it).is_ok());
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn a_plus_that_stands_alone_is_refused_at_once() {
    let refusal = CronExpression::parse("0 0 * * +").unwrap_err();
    assert!(refusal.contains("has the weekday `+`"), "{refusal}");
    // A nickname has no fields, and may be followed by any number of words.
    assert!(CronExpression::parse("@a b c d e f g +").is_err());
    // A nickname, which is no nickname, may have more fields than there are names for.
    assert!(CronExpression::parse("@a b c d e f g +").is_err());
}

#[test]
fn an_expression_that_never_comes_is_refused() {
    let error = CronExpression::parse("0 0 30 2 *").unwrap_err();
    assert_eq!(
        error,
        "cron expression `0 0 30 2 *` never comes; there is no such day"
    );
}

#[test]
fn the_number_of_fields_is_told() {
    let error = CronExpression::parse("0 * *").unwrap_err();
    assert_eq!(
        error,
        "cron expression `0 * *` has 3 fields; write five fields (minute hour day month weekday), \
         or six with the seconds first, as in `0 * * * *`"
    );
}

#[test]
fn intervals_are_counted_from_the_epoch() {
    let every = Schedule::Every(Duration::from_secs(3600)).parse().unwrap();
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    assert_eq!(
        every.next_after(at("2026-03-04T10:20:30.5Z")),
        Some(at("2026-03-04T11:00:00Z"))
    );
    assert_eq!(
        every.next_after(at("2026-03-04T11:00:00Z")),
        Some(at("2026-03-04T12:00:00Z"))
    );
}

#[test]
fn intervals_out_of_range_are_refused() {
    for seconds in [0, 11 * 365 * 24 * 60 * 60] {
        assert!(
            Schedule::Every(Duration::from_secs(seconds))
                .parse()
                .is_err()
        );
    }
}

proptest! {
    #[test]
    fn the_next_tick_of_an_interval_is_the_first_multiple_after_now(
        interval in 1_i64..10_000_000,
        seconds in -1_000_000_000_i64..4_000_000_000,
        nanos in 0_u32..1_000_000_000,
    ) {
        let now = DateTime::from_timestamp(seconds, nanos).unwrap();

        let next = Ticks::Every(interval).next_after(now).unwrap();

        prop_assert!(next > now);
        prop_assert_eq!(next.timestamp().rem_euclid(interval), 0);
        prop_assert!(next.timestamp() - seconds <= interval);
    }

    #[test]
    fn no_expression_makes_the_parser_panic(text in ".{0,60}") {
        let _ = CronExpression::parse(&text);
    }

    #[test]
    fn nothing_made_of_cron_characters_makes_it_panic(
        text in r"([0-9*/,\-LW#?A-Z]{1,8} ){4,5}[0-9*/,\-LW#?A-Z]{1,8}"
    ) {
        if let Ok(cron) = CronExpression::parse(&text) {
            let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
            let next = cron.next_after(now, parse_zone("America/New_York").unwrap());
            prop_assert!(next.is_none_or(|it| it > now));
        }
    }
}
