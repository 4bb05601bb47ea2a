//! The parameters of a job: which are its arguments, and which are injected.

use quote::ToTokens;
use syn::{
    FnArg, GenericArgument, Ident, LitStr, Meta, Pat, PatType, PathArguments, PathSegment, Token,
    Type, ext::IdentExt,
};

use super::{
    helpers::{self, Names},
    options::Codec,
    owned,
    parse::Helpers,
    type_name::type_name,
};
use crate::errors::Errors;

/// One parameter of the function, in order.
pub(super) enum Parameter {
    Argument(Argument),
    Injected(Injected),
}

/// Part of the payload, and a field of the struct.
pub(super) struct Argument {
    pub(super) field: Ident,
    /// Its name in the payload: the field's, or that of `#[serde(rename)]`.
    pub(super) name: LitStr,
    aliases: Vec<LitStr>,
    pub(super) ty: Type,
    pub(super) type_name: String,
    pub(super) codec: Codec,
    pub(super) docs: Vec<syn::Attribute>,
    /// As they stand: the struct has them, too.
    pub(super) serde: Vec<syn::Attribute>,
}

/// Comes from the worker: `State<T>`, `Context`, `&Context`, `Tx`, `#[inject]`.
pub(super) struct Injected {
    /// Without the reference.
    pub(super) ty: Type,
    pub(super) reference: Option<Token![&]>,
}

impl Parameter {
    /// Reads one parameter. `None` after some mistakes, which have been noted.
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
        for attribute in parameter.attrs.iter().chain(&helpers) {
            if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                errors.at(
                    attribute,
                    "a parameter of a job cannot be conditional; put the `#[cfg]` on the function",
                );
            }
        }
        let marker = helpers.iter().find(|it| it.path().is_ident("inject"));
        if let Some(marker) = marker
            && !matches!(marker.meta, Meta::Path(_))
        {
            errors.at(marker, "write `#[inject]`, without a value");
        }
        if marker.is_some() || is_injected(&parameter.ty) {
            injected(parameter, &helpers, errors).map(Self::Injected)
        } else {
            argument(parameter, helpers, errors).map(Self::Argument)
        }
    }
}

fn injected(
    parameter: &PatType,
    helpers: &[syn::Attribute],
    errors: &mut Errors,
) -> Option<Injected> {
    for helper in helpers {
        let path = helper.path();
        if path.is_ident("codec") || path.is_ident("serde") {
            let name = path.to_token_stream();
            let message =
                format!("an injected parameter is not in the payload; remove `#[{name}]`");
            errors.at(helper, message);
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
    let advice = if is_context(&reference.elem) {
        "`&Context` or `Context`".to_owned()
    } else {
        format!("`{}`", type_name(reference.elem.to_token_stream()))
    };
    let message = format!("only `&Context` is injected by reference; write {advice}");
    errors.at(reference, message);
    None
}

fn argument(parameter: &PatType, helpers: Helpers, errors: &mut Errors) -> Option<Argument> {
    let mut codec = Codec::Framed;
    let mut names = Names::default();
    let (mut docs, mut serde) = (Vec::new(), Vec::new());
    for helper in helpers {
        let path = helper.path();
        if path.is_ident("codec") {
            codec = errors.handle(helpers::codec(&helper)).unwrap_or(codec);
        } else if path.is_ident("serde") {
            helpers::serde(&helper, &mut names, errors);
            serde.push(helper);
        } else if path.is_ident("doc") {
            docs.push(helper);
        }
    }
    owned::check(&parameter.ty, errors);
    let field = errors.handle(field(parameter))?;
    let own_name = || LitStr::new(&field.unraw().to_string(), field.span());
    Some(Argument {
        name: names.renamed.unwrap_or_else(own_name),
        aliases: names.aliases,
        ty: (*parameter.ty).clone(),
        type_name: type_name(parameter.ty.to_token_stream()),
        codec,
        docs,
        serde,
        field,
    })
}

/// The name of an argument, without `mut`.
fn field(parameter: &PatType) -> syn::Result<Ident> {
    let ty = type_name(parameter.ty.to_token_stream());
    let advice = match &*parameter.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            return Ok(name.ident.clone());
        }
        Pat::Wild(_) => format!("write `_name: {ty}`"),
        _ => format!("write `name: {ty}`, and take it apart in the body"),
    };
    let message = format!("an argument needs a name, under which it is stored; {advice}");
    Err(syn::Error::new_spanned(&parameter.pat, message))
}

/// Refuses two arguments that would be one in the payload.
pub(super) fn check_names(parameters: &[Parameter], errors: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for parameter in parameters {
        let Parameter::Argument(argument) = parameter else {
            continue;
        };
        for name in [&argument.name].into_iter().chain(&argument.aliases) {
            let text = name.value();
            if seen.contains(&text) {
                let message = format!("two arguments are called `{text}` in the payload");
                errors.at(name, message);
            }
            seen.push(text);
        }
    }
}

/// Whether the type says that it does not belong to the payload.
pub(super) fn is_injected(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Reference(reference) => is_plain_injected(&reference.elem),
        owned => is_state(owned) || is_plain_injected(owned),
    }
}

fn is_plain_injected(ty: &Type) -> bool {
    ["Context", "Tick", "Tx"].iter().any(|it| is_plain(ty, it))
}

fn is_context(ty: &Type) -> bool {
    is_plain(ty, "Context")
}

fn is_plain(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|it| it.ident == name && it.arguments.is_none())
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

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Looks through what macros and parentheses put around a type.
pub(super) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}
