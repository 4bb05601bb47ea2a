//! The attributes on an argument: `#[codec(json)]`, and what goes on to serde.

use syn::{Expr, Ident, Lit, LitStr, Meta};

use super::options::Codec;
use crate::{
    attribute::{self, Item, Value},
    errors::Errors,
    values,
};

/// The longest name in a frame, in bytes: its length is one byte.
const MAX_ARGUMENT_NAME: usize = 255;

const SERDE: &str = "an argument takes only `#[serde(default)]`, `#[serde(alias = \"…\")]` \
     and `#[serde(rename = \"…\")]`";

/// What `#[serde(…)]` says about the name of an argument.
#[derive(Default)]
pub(super) struct Names {
    pub(super) renamed: Option<LitStr>,
    pub(super) aliases: Vec<LitStr>,
}

// #[codec(json)]
pub(super) fn codec(helper: &syn::Attribute) -> syn::Result<Codec> {
    let word = match &helper.meta {
        Meta::List(list) => syn::parse2::<Ident>(list.tokens.clone()).ok(),
        Meta::Path(_) | Meta::NameValue(_) => None,
    };
    if word.is_some_and(|it| it == "json") {
        return Ok(Codec::Json);
    }
    Err(syn::Error::new_spanned(
        helper,
        "an argument takes only `#[codec(json)]`; without it, the codec is chosen by itself",
    ))
}

// #[serde(default = "path", alias = "old", rename = "new")]
pub(super) fn serde(helper: &syn::Attribute, names: &mut Names, errors: &mut Errors) {
    let Meta::List(list) = &helper.meta else {
        errors.at(helper, SERDE);
        return;
    };
    for item in attribute::split(list.tokens.clone(), errors) {
        let (key, value) = match item {
            Item::Named(key, value) => (key, value),
            Item::Positional(value) => {
                errors.at(value, SERDE);
                continue;
            }
        };
        let text = match &value {
            Value::Expression(expression) => text(expression),
            Value::Missing | Value::List(_) => None,
        };
        match (key.to_string().as_str(), text) {
            ("default", None) if matches!(value, Value::Missing) => {}
            ("default", Some(_)) => {}
            ("alias", Some(alias)) => names.aliases.extend(checked(alias, errors)),
            ("rename", Some(name)) => names.renamed = checked(name, errors),
            _ => errors.at(key, SERDE),
        }
    }
}

fn text(expression: &Expr) -> Option<&LitStr> {
    match values::literal(expression)? {
        Lit::Str(text) => Some(text),
        _ => None,
    }
}

fn checked(name: &LitStr, errors: &mut Errors) -> Option<LitStr> {
    if (1..=MAX_ARGUMENT_NAME).contains(&name.value().len()) {
        return Some(name.clone());
    }
    let message = format!("the name of an argument is 1 to {MAX_ARGUMENT_NAME} bytes long");
    errors.at(name, message);
    None
}
