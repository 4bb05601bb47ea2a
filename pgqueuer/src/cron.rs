//! Cron expressions: a thin layer over `croner`, so that the program and the
//! compiler (`pgqueuer-macros` links to this file) agree on what is one.
//!
//! Five fields (minute, hour, day of month, month, day of week), or six with
//! the seconds first; `@hourly` and its like. Sunday is 0 or 7. If both the day
//! of the month and the day of the week are restricted, either may match.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) struct CronExpression(Cron);

/// What stands in the fields, seconds first.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L"),
    ("month", "1 to 12, or JAN to DEC"),
    ("weekday", "0 to 7, or SUN to SAT"),
];

const NICKNAMES: &str = "@yearly, @monthly, @weekly, @daily or @hourly";

impl CronExpression {
    /// Parses an expression, and refuses one that never comes (30 February).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refused = |problem: String| Err(format!("cron expression `{text}` {problem}"));
        let fields: Vec<&str> = text.split_whitespace().collect();
        let is_nickname = text.trim_start().starts_with('@');
        if !is_nickname && fields.len() != 5 && fields.len() != 6 {
            return refused(format!(
                "has {} fields; write five fields (minute hour day month weekday), or six with \
                 the seconds first, as in `0 * * * *`",
                fields.len()
            ));
        }
        // To croner, `+` is no day of the week at all. It looks for one until the year 5000.
        if !is_nickname && fields.contains(&"+") {
            return refused(find_fault(&fields, "`+` stands alone"));
        }
        // croner takes `1,,2` for `1,2`.
        let has_gap = |field: &&str| field.trim_start_matches('+').split(',').any(str::is_empty);
        let cron = match parser().parse(text) {
            Ok(cron) if !fields.iter().any(has_gap) => cron,
            Ok(_) => return refused("has a list with nothing between two commas".to_owned()),
            Err(_) if is_nickname => {
                return refused(format!("is not a nickname; write {NICKNAMES}"));
            }
            Err(error) => return refused(find_fault(&fields, &error.to_string())),
        };
        let expression = Self(cron);
        match expression.next_after(DateTime::UNIX_EPOCH, Tz::UTC) {
            Some(_) => Ok(expression),
            None => refused("never comes; there is no such day".to_owned()),
        }
    }

    /// The first time after `after` at which the expression matches in `zone`.
    ///
    /// A time that daylight saving skips comes right after the gap; one that it
    /// repeats comes once.
    pub(crate) fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let after = after.with_timezone(&zone);
        let next = self.0.find_next_occurrence(&after, false).ok()?;
        Some(next.with_timezone(&Utc))
    }
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        // `5/15` is understood by every other cron.
        .sloppy_ranges(true)
        .build()
}

/// Names the field that is wrong: the one that is wrong by itself, too.
fn find_fault(fields: &[&str], otherwise: &str) -> String {
    let names = FIELDS.iter().skip(FIELDS.len() - fields.len());
    for (place, ((name, range), field)) in names.zip(fields).enumerate() {
        let mut alone = vec!["*"; fields.len()];
        alone[place] = field;
        if *field == "+" || parser().parse(&alone.join(" ")).is_err() {
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
