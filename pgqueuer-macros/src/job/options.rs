//! The options that every job has: from the attribute to checked values.

use std::time::Duration;

use syn::{Expr, Lit, LitStr};

use super::{limits::Limits, unique::Unique};
use crate::{
    attribute::{self, Item, Known, Setting, Value},
    errors::Errors,
    values::{check_name, literal, parse_duration},
};

/// The options of `#[job]`, in the order in which the docs have them.
pub(crate) const JOB_OPTIONS: &[Known] = &[
    known("name", "name = \"send_welcome\""),
    known("aliases", "aliases = [\"old_name\"]"),
    known("queue", "queue = \"mail\""),
    known("priority", "priority = 5"),
    known("max_attempts", "max_attempts = 5"),
    known("timeout", "timeout = \"30s\""),
    known("backoff", "backoff = \"10s\""),
    known("retry", "retry = unless_it_panicked"),
    known("on_failure", "on_failure = \"discard\""),
    known("codec", "codec = \"json\""),
    known("retain", "retain = \"7d\""),
    known("concurrency", "concurrency = 2"),
    known("rate", "rate = \"100/s\""),
    known("unique", "unique(by = user, for = \"1h\")"),
    known("executor", "executor = CircuitBreaker::new(5)"),
];

const BACKOFF_OPTIONS: &[Known] = &[
    known("base", "base = \"5s\""),
    known("factor", "factor = 2"),
    known("max", "max = \"1h\""),
    known("jitter", "jitter = 0.1"),
];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The options that were given. What was not is left to the library.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<i16>,
    pub(crate) max_attempts: Option<u16>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) retry: Option<Expr>,
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) codec: Option<Codec>,
    pub(crate) retain: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) unique: Option<Unique>,
    pub(crate) executor: Option<Expr>,
}

pub(crate) enum Backoff {
    Fixed(Duration),
    /// One after another.
    List(Vec<Duration>),
    Growing {
        base: Option<Duration>,
        factor: Option<f64>,
        max: Option<Duration>,
        jitter: Option<f64>,
    },
}

#[derive(Clone, Copy)]
pub(crate) enum OnFailure {
    Hold,
    Discard,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Codec {
    Framed,
    Json,
}

pub(crate) const fn known(name: &'static str, example: &'static str) -> Known {
    Known { name, example }
}

impl Options {
    /// Takes one option, if it is one of a job.
    pub(crate) fn set(&mut self, setting: &Setting, errors: &mut Errors) {
        match setting.name().as_str() {
            "name" => self.name = errors.handle(setting.name_text()),
            "aliases" => self.aliases = aliases(setting, errors),
            "queue" => self.queue = errors.handle(setting.name_text()),
            "priority" => {
                let range = i16::MIN.into()..=i16::MAX.into();
                self.priority = errors.handle(setting.integer(range));
            }
            "max_attempts" => {
                self.max_attempts = errors.handle(setting.integer(1..=i16::MAX.into()));
            }
            "timeout" => self.timeout = errors.handle(timeout(setting)),
            "backoff" => self.backoff = backoff(setting, errors),
            "retry" => self.retry = errors.handle(retry(setting)),
            "on_failure" => {
                let choices = [("hold", OnFailure::Hold), ("discard", OnFailure::Discard)];
                self.on_failure = errors.handle(setting.choice(&choices));
            }
            "codec" => {
                let choices = [("framed", Codec::Framed), ("json", Codec::Json)];
                self.codec = errors.handle(setting.choice(&choices));
            }
            "retain" => self.retain = errors.handle(retain(setting)),
            "concurrency" => self.limits.set_concurrency(setting, errors),
            "rate" => self.limits.set_rate(setting, errors),
            "unique" => self.unique = Unique::read(setting, errors),
            "executor" => self.executor = errors.handle(setting.expression("an expression")),
            _ => {}
        }
    }

    /// Checks what concerns more than one option; `kind` is the effective name.
    pub(crate) fn check_aliases(&self, kind: &str, errors: &mut Errors) {
        for (index, alias) in self.aliases.iter().enumerate() {
            let text = alias.value();
            if text == kind {
                errors.at(alias, format!("`{text}` is the name of the job already"));
            } else if self.aliases[..index].iter().any(|it| it.value() == text) {
                errors.at(alias, format!("the alias `{text}` is given twice"));
            }
        }
    }
}

fn aliases(setting: &Setting, errors: &mut Errors) -> Vec<LitStr> {
    let mut aliases = errors.handle(setting.texts()).unwrap_or_default();
    aliases.retain(|alias| errors.handle(check_name(alias)).is_some());
    aliases
}

fn timeout(setting: &Setting) -> syn::Result<Duration> {
    let timeout = setting.duration()?;
    if timeout < Duration::from_millis(1) {
        return Err(setting.error("a timeout is at least `1ms`; for none, leave it out"));
    }
    Ok(timeout)
}

fn retain(setting: &Setting) -> syn::Result<Duration> {
    let retain = setting.duration()?;
    if retain > 100 * 365 * DAY {
        return Err(setting.error("`retain` is at most 100 years, which are `36500d`"));
    }
    Ok(retain)
}

// backoff = "10s"
// backoff = ["1s", "10s", "1m"]
// backoff(base = "5s", factor = 2, max = "1h", jitter = 0.1)
fn backoff(setting: &Setting, errors: &mut Errors) -> Option<Backoff> {
    let list = match &setting.value {
        Value::List(list) => list,
        Value::Expression(Expr::Array(_)) => return backoff_list(setting, errors),
        _ => return errors.handle(at_most_100_days(setting)).map(Backoff::Fixed),
    };
    let mut named = Vec::new();
    for item in attribute::split(list.stream(), errors) {
        match item {
            Item::Named(key, value) => named.push((key, value)),
            Item::Positional(value) => errors.at(
                value,
                "name the value, as in `backoff(base = \"5s\")`, or write `backoff = \"5s\"`",
            ),
        }
    }
    let settings = attribute::settings(named, BACKOFF_OPTIONS, "`backoff`", errors);
    if list.stream().is_empty() {
        let message = "`backoff()` sets nothing; write `backoff = \"10s\"`, or set `base`, \
             `factor`, `max` or `jitter`";
        errors.push(setting.error(message));
    }
    let find = |name: &str| settings.iter().find(|it| it.key == name);

    let (base_setting, max_setting) = (find("base"), find("max"));
    let base = base_setting.map(at_most_100_days).transpose();
    let max = max_setting.map(at_most_100_days).transpose();
    let factor = find("factor").map(|it| it.number(1.0..=100.0)).transpose();
    let jitter = find("jitter").map(|it| it.number(0.0..=1.0)).transpose();

    let too_long = match (&base, &max) {
        (Ok(base), Ok(max)) => base.unwrap_or(5 * SECOND) > max.unwrap_or(HOUR),
        _ => false,
    };
    if too_long {
        errors.push(match (base_setting, max_setting) {
            (Some(base), None) => {
                base.error("`base` is longer than `max`, which is `1h` by default; set `max`, too")
            }
            (None, Some(max)) => {
                max.error("`max` is shorter than `base`, which is `5s` by default; set `base`, too")
            }
            (Some(base), Some(_)) => base.error("`base` is longer than `max`"),
            (None, None) => setting.error("`base` is longer than `max`"),
        });
    }
    Some(Backoff::Growing {
        base: errors.handle(base).flatten(),
        factor: errors.handle(factor).flatten(),
        max: errors.handle(max).flatten(),
        jitter: errors.handle(jitter).flatten(),
    })
}

fn backoff_list(setting: &Setting, errors: &mut Errors) -> Option<Backoff> {
    let texts = errors.handle(setting.texts())?;
    if texts.is_empty() {
        errors.push(setting.error("a list of waits has at least one, as in `backoff = [\"10s\"]`"));
    }
    let waits = texts.iter().map(|text| {
        let wait = parse_duration(text)?;
        check_backoff(wait).map_err(|problem| syn::Error::new_spanned(text, problem))?;
        Ok(wait)
    });
    let waits = waits.filter_map(|wait| errors.handle(wait));
    Some(Backoff::List(waits.collect()))
}

fn at_most_100_days(setting: &Setting) -> syn::Result<Duration> {
    let duration = setting.duration()?;
    check_backoff(duration).map_err(|problem| setting.error(problem))?;
    Ok(duration)
}

fn check_backoff(wait: Duration) -> Result<(), &'static str> {
    match wait > 100 * DAY {
        true => Err("a backoff is at most `100d`"),
        false => Ok(()),
    }
}

fn retry(setting: &Setting) -> syn::Result<Expr> {
    let strategy = setting.expression("a strategy")?;
    let first = match &strategy {
        Expr::Array(array) => array.elems.first(),
        other => Some(other),
    };
    match first.and_then(literal) {
        Some(Lit::Str(_)) => Err(setting.error(
            "`retry` is an expression of a type that implements `RetryStrategy`; \
             waits are written as `backoff = \"10s\"` or `backoff = [\"1s\", \"10s\"]`",
        )),
        _ => Ok(strategy),
    }
}
