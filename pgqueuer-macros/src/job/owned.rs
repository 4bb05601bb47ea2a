//! The types of arguments: owned, and written out.

use proc_macro2::{Punct, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

use super::{
    parameters::{is_injected, ungrouped},
    type_name::type_name,
};
use crate::errors::Errors;

const OWNED: &str = "a job owns its arguments, for they wait in the database";
const WRITTEN_OUT: &str = "a worker must know which type to decode; write a type, not `impl`";

/// Refuses a type that borrows, or that hides behind `impl`.
pub(super) fn check(ty: &Type, errors: &mut Errors) {
    match ungrouped(ty) {
        Type::Reference(reference) => {
            let advice = advice(ungrouped(&reference.elem));
            errors.at(ty, format!("{OWNED}; {advice}"));
        }
        Type::ImplTrait(_) => errors.at(ty, WRITTEN_OUT),
        _ => check_inside(ty.to_token_stream(), errors),
    }
}

fn advice(referent: &Type) -> String {
    let text = type_name(referent.to_token_stream());
    match referent {
        Type::Slice(slice) => {
            let element = type_name(slice.elem.to_token_stream());
            format!("write `Vec<{element}>`")
        }
        _ if text == "str" => "write `String`".to_owned(),
        injected if is_injected(injected) => {
            format!("what is injected is taken by value; write `{text}`")
        }
        _ => "write an owned type".to_owned(),
    }
}

/// The same deep inside a type, as in `Option<&str>`: looks at the tokens only.
fn check_inside(tokens: TokenStream, errors: &mut Errors) {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => check_inside(group.stream(), errors),
            TokenTree::Ident(word) if word == "impl" => errors.at(word, WRITTEN_OUT),
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let is_text = after_lifetime(tokens.clone()).is_some_and(|it| is_word(&it, "str"));
                let advice = if is_text { "`String`" } else { "an owned type" };
                errors.at(punct, format!("{OWNED}; write {advice}"));
                // `&'a &'b str` is one mistake.
                return;
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = tokens.next();
                if name.as_ref().is_some_and(|it| is_word(it, "_")) {
                    errors.at(lifetime(punct, name), format!("{OWNED}; write `'static`"));
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn after_lifetime(mut tokens: impl Iterator<Item = TokenTree>) -> Option<TokenTree> {
    match tokens.next()? {
        TokenTree::Punct(punct) if punct.as_char() == '\'' => tokens.nth(1),
        other => Some(other),
    }
}

fn lifetime(apostrophe: Punct, name: Option<TokenTree>) -> TokenStream {
    [Some(apostrophe.into()), name]
        .into_iter()
        .flatten()
        .collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(it) if it == word)
}
