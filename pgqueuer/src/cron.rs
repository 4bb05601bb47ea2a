//! Cron expressions: a thin layer over `croner`, so that the program and the
//! compiler (`pgqueuer-macros` links to this file) agree on what is one.
//!
//! Five fields (minute, hour, day of month, month, day of week), or six with
//! the seconds first; `@hourly` and its like. Sunday is 0 or 7. If both the day
//! of the month and the day of the week are restricted, either may match.
//!
//! What `docs/schedules.md` says of daylight saving is decided here: see [`Clock`].

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) struct CronExpression {
    pub(crate) cron: Cron,
    clock: Clock,
}

/// How an expression goes through the nights in which clocks are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// At times of the day, which people mean once a day: one that is skipped comes right after the
    /// gap, and one that is repeated comes once, the first time.
    Times,
    /// At intervals (`*` or `/` in the seconds, minutes or hours): whenever the clock shows a time
    /// that matches, so not in a gap, and in both of two hours.
    Intervals,
}

/// What stands in a field.
struct Field {
    name: &'static str,
    range: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const fn field(name: &'static str, range: &'static str, first: u32, last: u32) -> Field {
    let names = &[];
    Field {
        name,
        range,
        first,
        last,
        names,
    }
}

/// Seconds first.
#[rustfmt::skip]
const FIELDS: [Field; 6] = [
    field("second", "0 to 59", 0, 59),
    field("minute", "0 to 59", 0, 59),
    field("hour", "0 to 23", 0, 23),
    field("day of the month", "1 to 31, or L", 1, 31),
    Field { names: &MONTHS, ..field("month", "1 to 12, or JAN to DEC", 1, 12) },
    Field { names: &WEEKDAYS, ..field("weekday", "0 to 7, or SUN to SAT", 0, 6) },
];

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl CronExpression {
    /// Parses an expression, and refuses one that never comes (30 February).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |problem: String| Err(format!("cron expression `{text}` {problem}"));
        let written = match text.trim() {
            name if name.starts_with('@') => {
                let known = NICKNAMES.iter().find(|it| it.0.eq_ignore_ascii_case(name));
                let Some((_, written)) = known else {
                    return refused(
                        "is not a nickname; write @yearly, @monthly, @weekly, @daily or @hourly"
                            .to_owned(),
                    );
                };
                written
            }
            written => written,
        };
        let fields: Vec<&str> = written.split_whitespace().collect();
        if fields.len() != 5 && fields.len() != 6 {
            return refused(format!(
                "has {} fields; write five fields (minute hour day month weekday), or six with \
                 the seconds first, as in `0 * * * *`",
                fields.len()
            ));
        }
        let cron = match parse_fields(&fields) {
            Ok(cron) => cron,
            Err(error) => return refused(find_fault(&fields, &error)),
        };
        let is_interval = |field: &&str| field.contains(['*', '/', '?']);
        let expression = Self {
            cron,
            clock: match fields[..fields.len() - 3].iter().any(is_interval) {
                true => Clock::Intervals,
                false => Clock::Times,
            },
        };
        match expression.next_after(DateTime::UNIX_EPOCH, Tz::UTC) {
            Some(_) => Ok(expression),
            None => refused("never comes; there is no such day".to_owned()),
        }
    }

    /// The first time after `after` at which the expression matches in `zone`. See [`Clock`].
    pub(crate) fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let here = after.with_timezone(&zone);
        if self.clock == Clock::Intervals {
            let next = self.cron.find_next_occurrence(&here, false).ok()?;
            return Some(next.with_timezone(&Utc));
        }
        // By the clock on the wall, as if it were never changed; and then when it shows that.
        let mut shown = here.naive_local().and_utc();
        loop {
            shown = self.cron.find_next_occurrence(&shown, false).ok()?;
            let time = first_shown(&shown.naive_utc(), zone)?;
            if time > after {
                return Some(time);
            }
        }
    }
}

/// When a clock in `zone` shows this for the first time, or, in a gap, right after it.
fn first_shown(local: &NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let time = match zone.from_local_datetime(local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time,
        MappedLocalTime::None => GapInfo::new(local, &zone)?.end?,
    };
    Some(time.with_timezone(&Utc))
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        // `5/15` is understood by every other cron.
        .sloppy_ranges(true)
        .build()
}

fn parse_fields(fields: &[&str]) -> Result<Cron, String> {
    let meanings = FIELDS.iter().skip(FIELDS.len() - fields.len());
    let written = meanings.zip(fields).map(|(it, field)| it.straighten(field));
    let written = written.collect::<Result<Vec<_>, _>>()?.join(" ");
    parser().parse(&written).map_err(|it| it.to_string())
}

impl Field {
    /// The field as croner takes it, which lets pass what means nothing, and has no ranges that go
    /// over the end (`FRI-MON`, `22-2`).
    fn straighten(&self, field: &str) -> Result<String, String> {
        let (and, list) = match field.strip_prefix('+') {
            // To croner, it is no day of the week at all. It looks for one until the year 5000.
            Some("") => return Err("`+` stands alone".to_owned()),
            Some(list) => ("+", list),
            None => ("", field),
        };
        let mut parts = Vec::new();
        for part in list.split(',') {
            match part {
                "" => return Err("has a list with nothing between two commas".to_owned()),
                part if part.starts_with('/') => return Err("has a step of nothing".to_owned()),
                part => parts.push(self.over_the_end(part).unwrap_or_else(|| part.to_owned())),
            }
        }
        Ok(format!("{and}{}", parts.join(",")))
    }

    /// The values of a range that goes over the end, in a list.
    fn over_the_end(&self, part: &str) -> Option<String> {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (begin, end) = range.split_once('-')?;
        let (from, to) = (self.value(begin)?, self.value(end)?);
        let step = step.parse().ok().filter(|it| *it > 0)?;
        let count = self.last - self.first + 1;
        let values = match from <= to {
            // From Sunday, which is the last day to croner then.
            true if begin == "7" && from == 0 => from..=to,
            true => return None,
            false => from..=to + count,
        };
        let values = values.step_by(step);
        let values = values.map(|it| (it - self.first) % count + self.first);
        Some(
            values
                .map(|it| it.to_string())
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    /// A number or a name. Sunday is 0, also where it is written as 7.
    fn value(&self, text: &str) -> Option<u32> {
        let number = match text.parse() {
            Ok(7) if self.names == WEEKDAYS => 0,
            Ok(number) => number,
            Err(_) => {
                let place = self
                    .names
                    .iter()
                    .position(|it| it.eq_ignore_ascii_case(text))?;
                self.first + u32::try_from(place).ok()?
            }
        };
        (self.first..=self.last).contains(&number).then_some(number)
    }
}

/// Names the field that is wrong: the one that is wrong by itself, too.
fn find_fault(fields: &[&str], otherwise: &str) -> String {
    let meanings = FIELDS.iter().skip(FIELDS.len() - fields.len());
    for (place, (Field { name, range, .. }, field)) in meanings.zip(fields).enumerate() {
        let mut alone = vec!["*"; fields.len()];
        alone[place] = field;
        if parse_fields(&alone).is_err() {
            return format!("has the {name} `{field}`; write {range}, with `*`, `,`, `-` and `/`");
        }
    }
    format!("is not valid: {otherwise}")
}

/// Finds a time zone by its name in the IANA database.
pub(crate) fn parse_zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        format!("time zone `{name}` is unknown; write an IANA name, as in `Europe/Oslo`")
    })
}
