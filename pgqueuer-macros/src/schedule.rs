//! When a scheduled job is enqueued: `#[schedule(…)]`'s own options.

use std::time::Duration;

use proc_macro2::Span;
use syn::{Expr, Lit, LitStr};

use crate::{
    attribute::{Known, Setting},
    cron::{CronExpression, parse_zone},
    errors::Errors,
    job::options::known,
    values::literal,
};

/// The options that `#[schedule]` has and `#[job]` has not.
pub(crate) const SCHEDULE_OPTIONS: &[Known] = &[
    known("every", "every = \"30s\""),
    known("tz", "tz = \"Europe/Oslo\""),
];

const MAX_INTERVAL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
const HOW: &str = "write a cron expression, as in `#[schedule(\"0 * * * *\")]`, or `#[schedule(every = \"30s\")]`";

/// A checked schedule.
pub(crate) enum Schedule {
    Cron {
        expression: LitStr,
        zone: Option<LitStr>,
    },
    Every(Duration),
}

impl Schedule {
    /// Reads the schedule: either a cron expression or an interval.
    ///
    /// `None` if there is a mistake; it has been noted then.
    pub(crate) fn new(
        positional: &[Expr],
        settings: &[Setting],
        errors: &mut Errors,
    ) -> Option<Self> {
        let find = |name: &str| settings.iter().find(|it| it.key == name);
        let (every, zone) = (find("every"), find("tz"));

        for surplus in positional.iter().skip(1) {
            errors.at(
                surplus,
                "a schedule has one cron expression; the rest are options, as in `tz = \"Europe/Oslo\"`",
            );
        }
        let checked_zone = zone.and_then(|it| errors.handle(parse_zone_of(it)));
        match (positional.first(), every) {
            (Some(expression), None) => Some(Self::Cron {
                expression: errors.handle(parse_cron(expression))?,
                zone: checked_zone,
            }),
            (None, Some(every)) => {
                if let Some(zone) = zone {
                    errors.at(
                        &zone.key,
                        "an interval has no time zone; `tz` goes with a cron expression",
                    );
                }
                errors.handle(parse_interval(every)).map(Self::Every)
            }
            (Some(_), Some(every)) => {
                errors.at(
                    &every.key,
                    "a schedule has either a cron expression or `every`, not both",
                );
                None
            }
            (None, None) => {
                errors.push(syn::Error::new(
                    Span::call_site(),
                    format!("a schedule needs a time; {HOW}"),
                ));
                None
            }
        }
    }
}

fn parse_cron(expression: &Expr) -> syn::Result<LitStr> {
    let Some(Lit::Str(text)) = literal(expression) else {
        return Err(syn::Error::new_spanned(expression, HOW));
    };
    match CronExpression::parse(&text.value()) {
        Ok(_) => Ok(text.clone()),
        Err(problem) => Err(syn::Error::new_spanned(text, problem)),
    }
}

fn parse_zone_of(setting: &Setting) -> syn::Result<LitStr> {
    let text = setting.text()?;
    match parse_zone(&text.value()) {
        Ok(_) => Ok(text),
        Err(problem) => Err(setting.error(problem)),
    }
}

fn parse_interval(setting: &Setting) -> syn::Result<Duration> {
    let interval = setting.duration()?;
    let problem = if interval < Duration::from_secs(1) {
        "`every` is at least `1s`"
    } else if interval.subsec_nanos() != 0 {
        "`every` is a whole number of seconds"
    } else if interval > MAX_INTERVAL {
        "`every` is at most 10 years, which are `3650d`"
    } else {
        return Ok(interval);
    };
    Err(setting.error(problem))
}
