//! The arithmetic of schedules, against what other implementations say.

mod brute;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde::Deserialize;

use super::{Missed, Overlap, Schedule, Ticks};
use crate::cron::{CronExpression, parse_zone};

const VECTORS: &str = include_str!("../../../tests/data/cron_vectors.json");

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    disagreements: Vec<Disagreement>,
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

/// What two libraries do not agree on.
#[derive(Deserialize)]
struct Disagreement {
    category: String,
    expr: String,
    tz: String,
    start: DateTime<Utc>,
    croniter: Vec<DateTime<Utc>>,
    cronsim: Vec<DateTime<Utc>>,
}

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
        assert_eq!(
            next_three(&expr, &tz, start),
            next_epoch,
            "{expr} in {tz} from {start}"
        );
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

/// As `docs/schedules.md` says.
#[test]
fn where_others_disagree_the_choice_is_ours() {
    for it in vectors().disagreements {
        let ours = next_three(&it.expr, &it.tz, it.start);
        let epochs = |times: &[DateTime<Utc>]| -> Vec<i64> {
            times.iter().map(DateTime::timestamp).collect()
        };
        // Either day matches, also where one of them is a step. Daylight saving is as in cronsim.
        let expected = match it.category.as_str() {
            "dom_dow" => it.croniter,
            "dst_gap_interval" | "dst_overlap_fixed" => it.cronsim,
            "dst_overlap_interval" => it.cronsim,
            // The clock goes back to half past one, and so shows two o'clock for the first time.
            "tz_lord_howe" => it.croniter,
            other => panic!("there is a new category, {other}"),
        };
        assert_eq!(
            ours,
            epochs(&expected),
            "{} in {} from {}",
            it.expr,
            it.tz,
            it.start
        );
    }
}

#[test]
fn ranges_may_go_over_the_end() {
    for (written, same) in [
        ("0 0 * * FRI-MON", "0 0 * * FRI,SAT,SUN,MON"),
        ("0 0 * * 7-1", "0 0 * * 0,1"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 0 * NOV-FEB *", "0 0 * 11,12,1,2 *"),
        ("50-10/10 * * * *", "50,0,10 * * * *"),
    ] {
        let start = at("2026-01-01T00:30:00Z");
        assert_eq!(
            next_three(written, "UTC", start),
            next_three(same, "UTC", start),
            "{written}"
        );
    }
}

#[test]
fn nicknames_are_expressions() {
    let start = at("2026-01-01T00:00:00Z");
    for (nickname, same) in [
        ("@midnight", "0 0 * * *"),
        (" @Hourly ", "0 * * * *"),
        ("@annually", "0 0 1 1 *"),
        ("@weekly", "0 0 * * 0"),
    ] {
        assert_eq!(
            next_three(nickname, "UTC", start),
            next_three(same, "UTC", start)
        );
    }
}

#[test]
fn what_means_nothing_is_refused() {
    for text in [
        "/10 * * * *",
        "5-1-2 * * * *",
        "60-10 * * * *",
        "9-1/0 * * * *",
        "0 0 * * SUNDAY",
    ] {
        assert!(CronExpression::parse(text).is_err(), "{text}");
    }
}

/// Each local hour of ten years, in zones whose clocks change at different times and by different
/// amounts, one of which lost a day once.
#[test]
fn a_time_of_day_comes_once_a_day_for_ten_years() {
    let zones = [
        "Europe/Oslo",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
    ];
    for name in zones {
        let zone = parse_zone(name).unwrap();
        for expression in ["30 1 * * *", "15 2 * * *", "0 3 * * *", "30 0 * * *"] {
            let cron = CronExpression::parse(expression).unwrap();
            let mut last = at("2020-12-31T23:00:00Z");
            let end = at("2030-12-30T00:00:00Z");
            while last < end {
                let next = cron.next_after(last, zone).unwrap();
                let days =
                    next.with_timezone(&zone).date_naive() - last.with_timezone(&zone).date_naive();
                assert!(
                    days.num_days() == 1 || last == at("2020-12-31T23:00:00Z"),
                    "{expression} in {name}: {next} after {last}"
                );
                last = next;
            }
        }
    }
}

#[test]
fn an_interval_goes_on_through_both_hours() {
    let zone = parse_zone("Europe/Oslo").unwrap();
    let cron = CronExpression::parse("*/15 * * * *").unwrap();
    let mut last = at("2020-12-31T23:00:00Z");
    while last < at("2030-12-31T00:00:00Z") {
        let next = cron.next_after(last, zone).unwrap();
        assert_eq!(next - last, TimeDelta::minutes(15), "after {last}");
        last = next;
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn intervals_are_counted_from_the_epoch() {
    let every = Schedule::new("every 1h").parse().unwrap();
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
    for rule in [
        "every 0s",
        "every 11years",
        "every 1500ms",
        "every day",
        "every",
    ] {
        assert!(Schedule::new(rule).parse().is_err(), "{rule}");
    }
    assert!(
        Schedule::new("every 1h")
            .zone("Europe/Oslo")
            .parse()
            .is_err()
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let both = Schedule::new("0 * * * *")
        .missed(Missed::ALL)
        .overlap(Overlap::Skip);
    let refusal = both.parse().unwrap_err().to_string();
    assert!(refusal.contains("choose one of them"), "{refusal}");
}

#[test]
fn rules_are_told_in_words() {
    let words = |rule: &'static str| Schedule::new(rule).describe().unwrap();
    assert_eq!(words("0 9 * * MON-FRI"), "at 09:00, Monday to Friday");
    assert_eq!(words("0 9 * * 1,3"), "at 09:00, on Monday and Wednesday");
    assert_eq!(words("*/15 * * * *"), "every 15 minutes");
    assert_eq!(words("0 0 L * *"), "at 00:00, on the last day of the month");
    assert_eq!(words("every 90s"), "every 1m 30s");
}

#[test]
fn policies_are_read_as_they_are_written() {
    for text in ["skip", "once", "all", "all up to 24"] {
        assert_eq!(text.parse::<Missed>().unwrap().to_string(), text);
    }
    for text in ["", "All", "all up to 0", "all up to 1001", "all up to x"] {
        assert!(text.parse::<Missed>().is_err(), "{text}");
    }
}

#[test]
fn each_policy_does_what_it_says_of_ten_missed_slots() {
    let hourly = Schedule::new("0 * * * *").parse().unwrap();
    let first = at("2026-01-01T00:00:00Z");
    let late = at("2026-01-01T09:30:00Z");
    let due = |missed| hourly.due(first, late, missed);
    let hours = |from: u32, to: u32| -> Vec<_> {
        (from..=to)
            .map(|it| first + TimeDelta::hours(it.into()))
            .collect()
    };
    assert!(due(Missed::Skip).is_empty());
    assert_eq!(due(Missed::Once), hours(9, 9));
    assert_eq!(due(Missed::ALL), hours(0, 9));
    assert_eq!(due(Missed::All { up_to: 3 }), hours(7, 9));
    // A little late is not missed.
    let soon = at("2026-01-01T09:00:59Z");
    assert_eq!(hourly.due(first, soon, Missed::Skip), hours(9, 9));
    assert!(hourly.due(hours(10, 10)[0], soon, Missed::ALL).is_empty());
}

#[test]
fn the_last_of_very_many_is_found_soon() {
    let every = Schedule::new("* * * * * *").parse().unwrap();
    let began = std::time::Instant::now();
    let due = every.due(
        at("2000-01-01T00:00:00Z"),
        at("2026-01-01T00:00:00.5Z"),
        Missed::ALL,
    );
    assert_eq!(due.len(), 100);
    assert_eq!(due.last(), Some(&at("2026-01-01T00:00:00Z")));
    // Second by second it would take minutes.
    assert!(began.elapsed().as_secs() < 10);
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
    fn the_last_slot_is_the_one_before_the_first_that_has_not_come(
        expression in brute::expressions(),
        seconds in 1_700_000_000_i64..1_900_000_000,
        while_ in 0_i64..10_000_000,
    ) {
        let Ok(ticks) = Schedule::new(expression).parse() else { return Ok(()) };
        let first = ticks.next_after(DateTime::from_timestamp(seconds, 0).unwrap()).unwrap();
        let now = first + TimeDelta::seconds(while_);

        let last = ticks.due(first, now, Missed::Once);

        prop_assert_eq!(last.len(), 1);
        prop_assert!(first <= last[0] && last[0] <= now);
        prop_assert!(ticks.next_after(last[0]).unwrap() > now);
        let all = ticks.due(first, now, Missed::All { up_to: 7 });
        prop_assert_eq!(all.last(), last.last());
        for pair in all.windows(2) {
            prop_assert_eq!(ticks.next_after(pair[0]), Some(pair[1]));
        }
        prop_assert!(all.len() == 7 || all[0] == first);
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
