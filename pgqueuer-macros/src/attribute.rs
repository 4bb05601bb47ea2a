//! The list in an attribute's parentheses: splits it, and refuses options that
//! are unknown or given twice. What the values mean is for `values`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Expr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token,
};

use crate::errors::Errors;

/// An option that an attribute has.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// How to write it, for messages.
    pub(crate) example: &'static str,
}

/// One item of the list.
pub(crate) enum Item {
    /// `"0 * * * *"`
    Positional(Expr),
    /// `queue = "mail"`, `backoff(factor = 2)`, `default`
    Named(Ident, Value),
}

/// What follows the name of an option.
pub(crate) enum Value {
    Missing,
    Expression(Expr),
    List(Group),
}

/// An option that is known, and given once.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    pub(crate) example: &'static str,
}

impl Setting {
    pub(crate) fn name(&self) -> String {
        self.key.unraw().to_string()
    }
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Missing => {}
            Self::Expression(expression) => expression.to_tokens(tokens),
            Self::List(list) => list.to_tokens(tokens),
        }
    }
}

/// Splits a list at its commas. Goes on after a mistake, at the next comma.
pub(crate) fn split(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match parse_item(input) {
                Ok(item) => items.push(item),
                Err(error) => {
                    errors.push(error);
                    skip_to_comma(input)?;
                }
            }
            if !input.is_empty() && !input.peek(Token![,]) {
                errors.push(input.error("write a `,` between options"));
                skip_to_comma(input)?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    items
}

fn parse_item(input: ParseStream<'_>) -> syn::Result<Item> {
    if !input.peek(Ident::peek_any) {
        return input.parse().map(Item::Positional);
    }
    let key = input.call(Ident::parse_any)?;
    if input.peek(token::Paren) {
        return Ok(Item::Named(key, Value::List(input.parse()?)));
    }
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Ok(Item::Named(key, Value::Missing));
    }
    let value = if input.is_empty() || input.peek(Token![,]) {
        Value::Missing
    } else {
        Value::Expression(input.parse()?)
    };
    Ok(Item::Named(key, value))
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Keeps the options that are known and given once; refuses the others.
///
/// `owner` is what the options belong to, as people write it: `#[job]`.
pub(crate) fn settings(
    named: Vec<(Ident, Value)>,
    known: &[Known],
    owner: &str,
    errors: &mut Errors,
) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for (key, value) in named {
        let name = key.unraw().to_string();
        let Some(option) = known.iter().find(|it| it.name == name) else {
            let advice = advise(&name, known, owner);
            errors.at(&key, format!("unknown option `{name}`; {advice}"));
            continue;
        };
        if settings.iter().any(|it| it.key == key) {
            errors.at(&key, format!("`{name}` is given twice"));
            continue;
        }
        settings.push(Setting {
            key,
            value,
            example: option.example,
        });
    }
    settings
}

fn advise(name: &str, known: &[Known], owner: &str) -> String {
    let close = (name.chars().count() / 3).max(1);
    let nearest = known
        .iter()
        .map(|it| (edit_distance(name, it.name), it.name))
        .min()
        .filter(|(distance, _)| *distance <= close);
    if let Some((_, nearest)) = nearest {
        return format!("did you mean `{nearest}`?");
    }
    let list: Vec<String> = known.iter().map(|it| format!("`{}`", it.name)).collect();
    format!("the options of {owner} are {}", list.join(", "))
}

/// How many characters to insert, delete or replace (Levenshtein).
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, a) in left.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, b) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        Known {
            name: "queue",
            example: "queue = \"mail\"",
        },
        Known {
            name: "backoff",
            example: "backoff = \"10s\"",
        },
    ];

    fn messages(list: &str) -> (usize, Vec<String>) {
        let mut errors = Errors::default();
        let items = split(list.parse().unwrap(), &mut errors);
        let named = items.into_iter().filter_map(|item| match item {
            Item::Named(key, value) => Some((key, value)),
            Item::Positional(_) => None,
        });
        let found = settings(named.collect(), KNOWN, "#[job]", &mut errors).len();
        let messages = match errors.finish() {
            Ok(()) => Vec::new(),
            Err(error) => error.into_iter().map(|it| it.to_string()).collect(),
        };
        (found, messages)
    }

    #[test]
    fn a_list_is_split_at_its_commas() {
        assert_eq!(
            messages(r#"queue = "a", backoff(base = "1s", factor = 2),"#),
            (2, vec![])
        );
    }

    #[test]
    fn one_mistake_does_not_hide_the_next() {
        let (found, messages) = messages("queue = =, rate = 5 5, qeue, backoff, backoff");
        assert_eq!(found, 1);
        assert_eq!(
            messages,
            [
                "expected an expression",
                "write a `,` between options",
                "unknown option `rate`; the options of #[job] are `queue`, `backoff`",
                "unknown option `qeue`; did you mean `queue`?",
                "`backoff` is given twice",
            ]
        );
    }

    #[test]
    fn edit_distance_counts_changes() {
        assert_eq!(edit_distance("queue", "queue"), 0);
        assert_eq!(edit_distance("qeue", "queue"), 1);
        assert_eq!(edit_distance("", "queue"), 5);
        assert_eq!(edit_distance("timeuot", "timeout"), 2);
    }
}
