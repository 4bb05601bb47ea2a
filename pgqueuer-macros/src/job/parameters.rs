//! The parameters of a job: which are its arguments, and which are injected.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    FnArg, GenericArgument, Ident, LitStr, Meta, Pat, PatType, PathArguments, Token, Type,
    ext::IdentExt,
};

use super::{options::Codec, parse::Helpers, type_name::type_name};
use crate::{
    attribute::{self, Item, Value},
    errors::Errors,
    values,
};

/// The longest name in a frame, in bytes: its length is one byte.
const MAX_ARGUMENT_NAME: usize = 255;

/// One parameter of the function, in order.
pub(super) enum Parameter {
    Argument(Argument),
    Injected(Injected),
}

/// Part of the payload, and a field of the struct.
pub(super) struct Argument {
    pub(super) field: Ident,
    /// Its name in the payload: the field's, or that of `#[serde(rename)]`.
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) type_name: String,
    pub(super) codec: Codec,
    pub(super) docs: Vec<syn::Attribute>,
    pub(super) serde: Vec<syn::Attribute>,
}

/// Comes from the worker: `State<T>`, `Context`, `&Context`, `#[inject]`.
pub(super) struct Injected {
    /// Without the reference.
    pub(super) ty: Type,
    pub(super) reference: Option<Token![&]>,
}

impl Parameter {
    /// Reads one parameter. `None` after a mistake.
    pub(super) fn new(input: &FnArg, helpers: Helpers, errors: &mut Errors) -> Option<Self> {
        let parameter = match input {
            FnArg::Typed(parameter) => parameter,
            FnArg::Receiver(receiver) => {
                errors.at(
                    receiver,
                    "a job is a free function, without `self`; take what it needs as `State<T>`",
                );
                return None;
            }
        };
        for attribute in &parameter.attrs {
            if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                errors.at(
                    attribute,
                    "a parameter of a job cannot be conditional; put the `#[cfg]` on the function",
                );
            }
        }
        let marked = helpers.iter().find(|it| it.path().is_ident("inject"));
        if let Some(marked) = marked
            && !matches!(marked.meta, Meta::Path(_))
        {
            errors.at(marked, "write `#[inject]`, without a value");
        }
        if marked.is_some() || is_injected(&parameter.ty) {
            injected(parameter, &helpers, errors).map(Self::Injected)
        } else {
            argument(parameter, helpers, errors).map(Self::Argument)
        }
    }
}

fn injected(parameter: &PatType, helpers: &Helpers, errors: &mut Errors) -> Option<Injected> {
    for helper in helpers {
        let path = helper.path();
        if path.is_ident("codec") || path.is_ident("serde") {
            let name = path.to_token_stream();
            errors.at(
                helper,
                format!("an injected parameter is not in the payload; remove `#[{name}]`"),
            );
        }
    }
    let Type::Reference(reference) = ungrouped(&parameter.ty) else {
        return Some(Injected {
            ty: (*parameter.ty).clone(),
            reference: None,
        });
    };
    let plain = reference.lifetime.is_none() && reference.mutability.is_none();
    if plain && is_context(&reference.elem) {
        return Some(Injected {
            ty: (*reference.elem).clone(),
            reference: Some(reference.and_token),
        });
    }
    let owned = type_name(reference.elem.to_token_stream());
    let advice = if is_context(&reference.elem) {
        "write `&Context` or `Context`".to_owned()
    } else {
        format!("write `{owned}`")
    };
    errors.at(
        reference,
        format!("only `&Context` is injected by reference; {advice}"),
    );
    None
}

fn argument(parameter: &PatType, helpers: Helpers, errors: &mut Errors) -> Option<Argument> {
    let field = field(&parameter.pat, &parameter.ty, errors);
    let owned = check_owned(&parameter.ty, errors);
    let mut codec = Codec::Framed;
    let mut renamed = None;
    let mut docs = Vec::new();
    let mut serde = Vec::new();
    for helper in helpers {
        if helper.path().is_ident("codec") {
            codec = errors.handle(argument_codec(&helper)).unwrap_or(codec);
        } else if helper.path().is_ident("serde") {
            renamed = serde_options(&helper, errors).or(renamed);
            serde.push(helper);
        } else if helper.path().is_ident("doc") {
            docs.push(helper);
        }
    }
    let field = field?;
    owned?;
    let name = renamed.unwrap_or_else(|| field.unraw().to_string());
    Some(Argument {
        name,
        ty: (*parameter.ty).clone(),
        type_name: type_name(parameter.ty.to_token_stream()),
        codec,
        docs,
        serde,
        field,
    })
}

fn field(pattern: &Pat, ty: &Type, errors: &mut Errors) -> Option<Ident> {
    let message = match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            return Some(name.ident.clone());
        }
        Pat::Wild(_) => "an argument needs a name, under which it is stored; \
             `_name` is one that need not be used"
            .to_owned(),
        _ => format!(
            "an argument needs a name, under which it is stored; \
             write `name: {}`, and take it apart in the body",
            type_name(ty.to_token_stream())
        ),
    };
    errors.at(pattern, message);
    None
}

/// Refuses a type that borrows, or that is not written out.
fn check_owned(ty: &Type, errors: &mut Errors) -> Option<()> {
    let message = match ungrouped(ty) {
        Type::Reference(reference) => {
            let advice = match ungrouped(&reference.elem) {
                Type::Slice(slice) => {
                    format!("write `Vec<{}>`", type_name(slice.elem.to_token_stream()))
                }
                other => advice(other),
            };
            format!("a job owns its arguments, for they wait in the database; {advice}")
        }
        Type::ImplTrait(_) => IMPL_TRAIT.to_owned(),
        _ => return check_owned_inside(ty.to_token_stream(), errors),
    };
    errors.at(ty, message);
    None
}

const IMPL_TRAIT: &str = "a worker must know which type to decode; write a type, not `impl`";

fn advice(referent: &Type) -> String {
    let text = type_name(referent.to_token_stream());
    if text == "str" {
        "write `String`".to_owned()
    } else if is_injected(referent) {
        format!("an injected parameter is taken by value; write `{text}`")
    } else {
        "write an owned type".to_owned()
    }
}

// References, lifetimes and `impl` deep inside a type: `Option<&str>`.
fn check_owned_inside(tokens: TokenStream, errors: &mut Errors) -> Option<()> {
    let mut tokens = tokens.into_iter().peekable();
    let mut owned = Some(());
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => {
                owned = owned.and(check_owned_inside(group.stream(), errors));
            }
            TokenTree::Ident(word) if word == "impl" => {
                errors.at(word, IMPL_TRAIT);
                owned = None;
            }
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let is_text = matches!(tokens.peek(), Some(TokenTree::Ident(it)) if it == "str");
                let advice = if is_text { "String" } else { "an owned type" };
                let advice = if is_text {
                    format!("write `{advice}`")
                } else {
                    format!("write {advice}")
                };
                errors.at(
                    &token,
                    format!("a job owns its arguments, for they wait in the database; {advice}"),
                );
                // What is left would only repeat it.
                return None;
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                if matches!(tokens.peek(), Some(TokenTree::Ident(it)) if it != "static") {
                    errors.at(
                        &token,
                        "a job owns its arguments, for they wait in the database; \
                         the only lifetime is `'static`",
                    );
                    owned = None;
                }
            }
            TokenTree::Punct(_) | TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
    }
    owned
}

// #[codec(json)]
fn argument_codec(helper: &syn::Attribute) -> syn::Result<Codec> {
    let word = match &helper.meta {
        Meta::List(list) => syn::parse2::<Ident>(list.tokens.clone()).ok(),
        Meta::Path(_) | Meta::NameValue(_) => None,
    };
    match word {
        Some(word) if word == "json" => Ok(Codec::Json),
        _ => Err(syn::Error::new_spanned(
            helper,
            "the codec of an argument is chosen automatically, or JSON: write `#[codec(json)]`",
        )),
    }
}

// #[serde(default, alias = "old", rename = "new")]
//
// Returns the new name. Everything else goes on to serde as it stands.
fn serde_options(helper: &syn::Attribute, errors: &mut Errors) -> Option<String> {
    const ALLOWED: &str = "an argument takes only `#[serde(default)]`, `#[serde(alias = \"…\")]` \
         and `#[serde(rename = \"…\")]`";
    let Meta::List(list) = &helper.meta else {
        errors.at(helper, ALLOWED);
        return None;
    };
    let mut renamed = None;
    for item in attribute::split(list.tokens.clone(), errors) {
        let (key, value) = match item {
            Item::Named(key, value) => (key, value),
            Item::Positional(value) => {
                errors.at(value, ALLOWED);
                continue;
            }
        };
        let text = match &value {
            Value::Expression(expression) => match values::literal(expression) {
                Some(syn::Lit::Str(text)) => Some(text),
                _ => None,
            },
            Value::Missing | Value::List(_) => None,
        };
        match (key.to_string().as_str(), &value, text) {
            ("default", Value::Missing, _) | ("default", _, Some(_)) => {}
            ("alias", _, Some(alias)) => check_argument_name(alias, errors),
            ("rename", _, Some(name)) => {
                check_argument_name(name, errors);
                renamed = Some(name.value());
            }
            _ => errors.at(key, ALLOWED),
        }
    }
    renamed
}

fn check_argument_name(name: &LitStr, errors: &mut Errors) {
    if name.value().is_empty() || name.value().len() > MAX_ARGUMENT_NAME {
        errors.at(name, "the name of an argument is 1 to 255 bytes long");
    }
}

/// Refuses two arguments that would be one in the payload.
pub(super) fn check_names(parameters: &[Parameter], errors: &mut Errors) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for parameter in parameters {
        let Parameter::Argument(argument) = parameter else {
            continue;
        };
        let name = argument.name.as_str();
        if seen.insert(name, argument.field.span()).is_some() {
            errors.at(
                &argument.field,
                format!("two arguments are called `{name}` in the payload"),
            );
        }
    }
}

fn is_injected(ty: &Type) -> bool {
    let ty = match ungrouped(ty) {
        Type::Reference(reference) => return is_context(&reference.elem),
        other => other,
    };
    is_state(ty) || is_context(ty)
}

fn is_context(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|it| it.ident == "Context" && it.arguments.is_none())
}

fn is_state(ty: &Type) -> bool {
    let Some(segment) = last_segment(ty) else {
        return false;
    };
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return false;
    };
    let one_type = arguments.args.len() == 1
        && matches!(arguments.args.first(), Some(GenericArgument::Type(_)));
    segment.ident == "State" && one_type
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Looks through what macros and parentheses put around a type.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}
