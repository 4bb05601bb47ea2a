//! `unique`, and `unique(by = [user, list], for = "1h")`.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{constants::duration, keys, options::known, parameters::Argument};
use crate::{
    attribute::{self, Item, Known, Setting, Value},
    errors::Errors,
};

const UNIQUE_OPTIONS: &[Known] = &[
    known("by", "by = [user, list]"),
    known("for", "for = \"1h\""),
];

/// As the library has it: `UniqueFor::LONGEST`.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How the jobs of a kind are unique.
#[derive(Default)]
pub(crate) struct Unique {
    /// `None`: by all arguments.
    by: Option<Vec<Ident>>,
    window: Option<Duration>,
}

impl Unique {
    pub(crate) fn read(setting: &Setting, errors: &mut Errors) -> Option<Self> {
        let list =
            match &setting.value {
                Value::Missing => return Some(Self::default()),
                Value::List(list) => list,
                Value::Expression(_) => {
                    errors.push(setting.error(
                        "write `unique`, or `unique(by = user)`; without it, no job is unique",
                    ));
                    return None;
                }
            };
        let mut named = Vec::new();
        for item in attribute::split(list.stream(), errors) {
            match item {
                Item::Named(key, value) => named.push((key, value)),
                Item::Positional(value) => {
                    errors.at(value, "name the value, as in `unique(for = \"1h\")`");
                }
            }
        }
        let settings = attribute::settings(named, UNIQUE_OPTIONS, "`unique`", errors);
        let find = |name: &str| settings.iter().find(|it| it.key == name);
        Some(Self {
            by: find("by").and_then(|it| errors.handle(keys::fields(it))),
            window: find("for").and_then(|it| errors.handle(window(it))),
        })
    }

    pub(super) fn check<'a>(
        &self,
        arguments: &(impl Iterator<Item = &'a Argument> + Clone),
        errors: &mut Errors,
    ) {
        keys::check(self.by.as_deref().unwrap_or_default(), arguments, errors);
    }

    /// The value of `JobOptions::unique`.
    pub(super) fn constant(&self) -> TokenStream {
        let lasts = match self.window {
            None => quote!(Unfinished),
            Some(window) => {
                let window = duration(window);
                quote!(Window(#window))
            }
        };
        quote!(unique: ::core::option::Option::Some(::pgqueuer::__private::UniqueFor::#lasts))
    }

    /// The constant and the method that make the key.
    pub(super) fn key<'a>(
        &self,
        arguments: &(impl Iterator<Item = &'a Argument> + Clone),
    ) -> TokenStream {
        let all = || arguments.clone().map(|it| it.field.clone()).collect();
        let by: Vec<Ident> = self.by.clone().unwrap_or_else(all);
        let find = |field: &Ident| arguments.clone().find(|it| it.field == *field);
        let names = by.iter().filter_map(find).map(|it| &it.name);
        let key = keys::expression(&by, arguments);
        quote_spanned! {Span::mixed_site()=>
            const UNIQUE_BY: &'static [&'static ::core::primitive::str] = &[#(#names),*];

            fn unique_key(
                &self,
            ) -> ::pgqueuer::__private::Result<::core::option::Option<::std::string::String>> {
                #key.map(::core::option::Option::Some)
            }
        }
    }
}

fn window(setting: &Setting) -> syn::Result<Duration> {
    let window = setting.duration()?;
    if !(Duration::from_millis(1)..=LONGEST).contains(&window) {
        return Err(setting.error(
            "a job is unique for `1ms` to `36500d`; without `for`, as long as it is unfinished",
        ));
    }
    Ok(window)
}
