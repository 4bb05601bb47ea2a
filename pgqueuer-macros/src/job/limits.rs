//! Limits: `concurrency = 2`, `concurrency(limit = 1, by = customer)`, and the same for `rate`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{constants::duration, keys, options::known, parameters::Argument};
use crate::{
    attribute::{self, Item, Known, Setting, Value},
    errors::Errors,
};

const CONCURRENCY_OPTIONS: &[Known] = &[
    known("limit", "limit = 1"),
    known("by", "by = customer"),
    known("total", "total = 10"),
];

const RATE_OPTIONS: &[Known] = &[
    known("limit", "limit = \"100/s\""),
    known("by", "by = customer"),
    known("total", "total = \"1000/s\""),
];

/// As the library has it: `Rate::MOST`.
const MOST: u32 = 1_000_000;

/// What is limited. Both sorts of limits for each key go by the same arguments.
#[derive(Default)]
pub(crate) struct Limits {
    concurrency: Option<u32>,
    concurrency_per_key: Option<u32>,
    rate: Option<Rate>,
    rate_per_key: Option<Rate>,
    pub(super) by: Vec<Ident>,
}

struct Rate {
    count: u32,
    per: Duration,
    burst: Option<u32>,
}

impl Limits {
    pub(crate) fn set_concurrency(&mut self, setting: &Setting, errors: &mut Errors) {
        let read = |it: &Setting| it.integer(1..=i32::MAX.into());
        let Some(parts) = Parts::read(setting, CONCURRENCY_OPTIONS, errors) else {
            self.concurrency = errors.handle(concurrency(setting));
            return;
        };
        self.concurrency = parts.total.and_then(|it| errors.handle(read(&it)));
        self.concurrency_per_key = parts.limit.and_then(|it| errors.handle(read(&it)));
        self.go_by(parts.by, errors);
    }

    pub(crate) fn set_rate(&mut self, setting: &Setting, errors: &mut Errors) {
        let Some(parts) = Parts::read(setting, RATE_OPTIONS, errors) else {
            self.rate = errors.handle(rate(setting));
            return;
        };
        self.rate = parts.total.and_then(|it| errors.handle(rate(&it)));
        self.rate_per_key = parts.limit.and_then(|it| errors.handle(rate(&it)));
        self.go_by(parts.by, errors);
    }

    fn go_by(&mut self, by: Option<Setting>, errors: &mut Errors) {
        let fields = by.as_ref().and_then(|it| errors.handle(keys::fields(it)));
        let (Some(setting), Some(fields)) = (by, fields) else {
            return;
        };
        if !self.by.is_empty() && self.by != fields {
            let message = "`concurrency` and `rate` of one job go by the same arguments; \
                 a job has one key";
            errors.push(setting.error(message));
        }
        self.by = fields;
    }

    /// The value of `JobOptions::limits`, if anything is limited.
    pub(super) fn constant(&self) -> Option<TokenStream> {
        let some = |name: TokenStream, value: Option<TokenStream>| {
            value.map(|it| quote!(#name: ::core::option::Option::Some(#it)))
        };
        let number = |it: Option<u32>| it.map(|it| quote!(#it));
        let rate = |it: &Option<Rate>| it.as_ref().map(Rate::constant);
        let fields: Vec<TokenStream> = [
            some(quote!(concurrency), number(self.concurrency)),
            some(
                quote!(concurrency_per_key),
                number(self.concurrency_per_key),
            ),
            some(quote!(rate), rate(&self.rate)),
            some(quote!(rate_per_key), rate(&self.rate_per_key)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!fields.is_empty()).then(|| {
            quote! {
                limits: ::pgqueuer::__private::Limits {
                    #(#fields,)*
                    ..::pgqueuer::__private::Limits::NONE
                }
            }
        })
    }

    /// The constant and the method that say by what is counted, if that is for each key.
    pub(super) fn key<'a>(
        &self,
        arguments: &(impl Iterator<Item = &'a Argument> + Clone),
    ) -> Option<TokenStream> {
        if self.by.is_empty() {
            return None;
        }
        let find = |field: &Ident| arguments.clone().find(|it| it.field == *field);
        let names = self.by.iter().filter_map(find).map(|it| &it.name);
        let key = keys::expression(&self.by, arguments);
        Some(quote_spanned! {Span::mixed_site()=>
            const LIMIT_BY: &'static [&'static ::core::primitive::str] = &[#(#names),*];

            fn limit_key(
                &self,
            ) -> ::pgqueuer::__private::Result<::core::option::Option<::std::string::String>> {
                #key.map(::core::option::Option::Some)
            }
        })
    }
}

impl Rate {
    fn constant(&self) -> TokenStream {
        let (count, per) = (self.count, duration(self.per));
        let burst = self.burst.map(|it| quote!(.burst(#it)));
        quote!(::pgqueuer::__private::Rate::new(#count, #per)#burst)
    }
}

/// What stands in the parentheses.
struct Parts {
    limit: Option<Setting>,
    by: Option<Setting>,
    total: Option<Setting>,
}

impl Parts {
    /// `None` for a value that is no list.
    fn read(setting: &Setting, known: &'static [Known], errors: &mut Errors) -> Option<Self> {
        let Value::List(list) = &setting.value else {
            return None;
        };
        let name = setting.name();
        let example = known[0].example;
        let mut named = Vec::new();
        for item in attribute::split(list.stream(), errors) {
            match item {
                Item::Named(key, value) => named.push((key, value)),
                Item::Positional(value) => errors.at(
                    value,
                    format!("name the value, as in `{name}({example}, by = customer)`"),
                ),
            }
        }
        let mut settings = attribute::settings(named, known, &format!("`{name}`"), errors);
        let mut take = |name: &str| {
            let place = settings.iter().position(|it| it.key == name)?;
            Some(settings.swap_remove(place))
        };
        let (limit, by, total) = (take("limit"), take("by"), take("total"));
        if limit.is_none() || by.is_none() {
            errors.push(setting.error(format!(
                "`{name}(…)` is for each key: it needs `limit` and `by`, as in \
                 `{name}({example}, by = customer)`; for all jobs together, write `{}`",
                setting.example
            )));
        }
        Some(Self { limit, by, total })
    }
}

fn concurrency(setting: &Setting) -> syn::Result<u32> {
    let concurrency: u32 = setting.integer(0..=i32::MAX.into())?;
    if concurrency == 0 {
        return Err(setting.error(
            "with `concurrency = 0` no job would ever run; write at least 1, \
             or pause the kind while workers run",
        ));
    }
    Ok(concurrency)
}

/// `"100/s"`, `"10/min burst 5"`: as `Rate::from_str` of the library reads it.
fn rate(setting: &Setting) -> syn::Result<Rate> {
    let text = setting.text()?.value();
    let rate = read_rate(&text).ok_or_else(|| {
        setting.error(format!(
            "{text:?} is not a rate; write `100/s`, `10/min burst 5` or `1/90s`"
        ))
    })?;
    let longest = Duration::from_secs(366 * 24 * 60 * 60);
    if rate.count == 0 {
        Err(setting.error(
            "with a rate of 0 no job would ever run; write at least 1, \
             or pause the kind while workers run",
        ))
    } else if rate.count > MOST {
        Err(setting.error(format!("a rate is at most {MOST} in a time")))
    } else if !(Duration::from_millis(1)..=longest).contains(&rate.per) {
        Err(setting.error("the time of a rate is from `1ms` to `366d`"))
    } else if rate.burst.is_some_and(|it| !(1..=MOST).contains(&it)) {
        Err(setting.error(format!("a burst goes from 1 to {MOST}")))
    } else {
        Ok(rate)
    }
}

fn read_rate(text: &str) -> Option<Rate> {
    let (rate, burst) = match text.split_once(" burst ") {
        Some((rate, burst)) => (rate, Some(burst.trim().parse().ok()?)),
        None => (text, None),
    };
    let (count, unit) = rate.split_once('/')?;
    let unit = unit.trim();
    let per = match unit.starts_with(|it: char| it.is_ascii_digit()) {
        true => humantime::parse_duration(unit),
        false => humantime::parse_duration(&format!("1{unit}")),
    };
    Some(Rate {
        count: count.trim().parse().ok()?,
        per: per.ok()?,
        burst,
    })
}
