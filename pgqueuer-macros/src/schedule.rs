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
    known("missed", "missed = \"once\""),
    known("overlap", "overlap = \"skip\""),
    known("changes", "changes = \"keep\""),
];

const MAX_INTERVAL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
const MOST_MISSED: u16 = 1000;
const HOW: &str = "write a cron expression, as in `#[schedule(\"0 * * * *\")]`, or `#[schedule(every = \"30s\")]`";

/// A checked schedule.
pub(crate) struct Schedule {
    /// As the library has it: a cron expression, or `every 90s`.
    pub(crate) rule: LitStr,
    pub(crate) zone: Option<LitStr>,
    pub(crate) missed: Missed,
    /// The names of the variants.
    pub(crate) overlap: &'static str,
    pub(crate) changes: &'static str,
}

/// What becomes of slots that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    Skip,
    Once,
    /// Up to so many, if that is said.
    All(Option<u16>),
}

impl Schedule {
    /// Reads the schedule: either a cron expression or an interval, and the rest.
    ///
    /// `None` if there is a mistake; it has been noted then.
    pub(crate) fn new(
        positional: &[Expr],
        settings: &[Setting],
        errors: &mut Errors,
    ) -> Option<Self> {
        let find = |name: &str| settings.iter().find(|it| it.key == name);
        for surplus in positional.iter().skip(1) {
            errors.at(
                surplus,
                "a schedule has one cron expression; the rest are options, as in `tz = \"Europe/Oslo\"`",
            );
        }
        let zone = find("tz").and_then(|it| errors.handle(parse_zone_of(it)));
        let missed = find("missed").and_then(|it| errors.handle(parse_missed(it)));
        let overlap = find("overlap")
            .and_then(|it| errors.handle(choose(it, [("skip", "Skip"), ("allow", "Allow")])));
        let changes = find("changes")
            .and_then(|it| errors.handle(choose(it, [("keep", "Keep"), ("yield", "Yield")])));
        if let (Some(setting), Some(Missed::All(_)), Some("Skip")) =
            (find("missed"), missed, overlap)
        {
            errors.push(setting.error(
                "`missed = \"all\"` enqueues several jobs at once, which `overlap = \"skip\"` does not \
                 let; choose one of them",
            ));
        }
        Some(Self {
            rule: rule(positional.first(), find("every"), find("tz"), errors)?,
            zone,
            missed: missed.unwrap_or(Missed::Once),
            overlap: overlap.unwrap_or("Allow"),
            changes: changes.unwrap_or("Keep"),
        })
    }
}

fn rule(
    expression: Option<&Expr>,
    every: Option<&Setting>,
    zone: Option<&Setting>,
    errors: &mut Errors,
) -> Option<LitStr> {
    match (expression, every) {
        (Some(expression), None) => errors.handle(parse_cron(expression)),
        (None, Some(every)) => {
            if let Some(zone) = zone {
                errors.at(
                    &zone.key,
                    "an interval has no time zone; `tz` goes with a cron expression",
                );
            }
            errors.handle(parse_interval(every))
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

fn parse_interval(setting: &Setting) -> syn::Result<LitStr> {
    let interval = setting.duration()?;
    let problem = if interval < Duration::from_secs(1) {
        "`every` is at least `1s`"
    } else if interval.subsec_nanos() != 0 {
        "`every` is a whole number of seconds"
    } else if interval > MAX_INTERVAL {
        "`every` is at most 10 years, which are `3650d`"
    } else {
        let text = setting.text()?;
        return Ok(LitStr::new(
            &format!("every {}", text.value().trim()),
            text.span(),
        ));
    };
    Err(setting.error(problem))
}

fn parse_missed(setting: &Setting) -> syn::Result<Missed> {
    let text = setting.text()?.value();
    match (text.as_str(), text.strip_prefix("all up to ").map(str::parse)) {
        ("skip", _) => Ok(Missed::Skip),
        ("once", _) => Ok(Missed::Once),
        ("all", _) => Ok(Missed::All(None)),
        (_, Some(Ok(up_to))) if (1..=MOST_MISSED).contains(&up_to) => Ok(Missed::All(Some(up_to))),
        _ => Err(setting.error(format!(
            "`missed` is `\"skip\"`, `\"once\"`, `\"all\"`, or `\"all up to 24\"` (at most {MOST_MISSED})"
        ))),
    }
}

/// One of two values, and the name of its variant.
fn choose(setting: &Setting, values: [(&str, &'static str); 2]) -> syn::Result<&'static str> {
    let text = setting.text()?.value();
    let chosen = values.iter().find(|it| it.0 == text);
    chosen.map(|it| it.1).ok_or_else(|| {
        let [(one, _), (other, _)] = values;
        setting.error(format!("`{}` is `\"{one}\"` or `\"{other}\"`", setting.key))
    })
}
