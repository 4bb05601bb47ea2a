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

impl CronExpression {
    /// Parses an expression, and refuses one that never comes (30 February).
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            // `5/15` is understood by every other cron.
            .sloppy_ranges(true)
            .build();
        let expected = "five fields (minute hour day month weekday), or six with the seconds first";
        let fields = text.split_whitespace().count();
        if !text.trim_start().starts_with('@') && fields != 5 && fields != 6 {
            return Err(format!(
                "cron expression `{text}` has {fields} fields; write {expected}, as in `0 * * * *`"
            ));
        }
        // croner takes `1,,2` for `1,2`.
        let has_gap = |field: &str| field.split(',').any(str::is_empty);
        if text.split_whitespace().any(has_gap) {
            return Err(format!(
                "cron expression `{text}` is not valid: a list has nothing between two commas"
            ));
        }
        let cron = parser
            .parse(text)
            .map_err(|error| format!("cron expression `{text}` is not valid: {error}"))?;
        let expression = Self(cron);
        match expression.next_after(DateTime::UNIX_EPOCH, Tz::UTC) {
            Some(_) => Ok(expression),
            None => Err(format!(
                "cron expression `{text}` never comes; there is no such day"
            )),
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

/// Finds a time zone by its name in the IANA database.
pub(crate) fn parse_zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        format!("time zone `{name}` is unknown; write an IANA name, as in `Europe/Oslo`")
    })
}
