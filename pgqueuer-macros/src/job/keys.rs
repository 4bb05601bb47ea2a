//! Keys: the arguments that `by` names, for limits and uniqueness.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, Ident, ext::IdentExt, spanned::Spanned};

use super::parameters::Argument;
use crate::{
    attribute::{Setting, Value},
    errors::Errors,
};

/// `by = field`, or `by = [field, other]`.
pub(super) fn fields(setting: &Setting) -> syn::Result<Vec<Ident>> {
    let name = |expression: &Expr| match expression {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    let names: Option<Vec<Ident>> = match &setting.value {
        Value::Expression(Expr::Array(array)) => array.elems.iter().map(name).collect(),
        Value::Expression(expression) => name(expression).map(|it| vec![it]),
        Value::Missing | Value::List(_) => None,
    };
    let example = setting.example;
    match names {
        Some(names) if !names.is_empty() => Ok(names),
        _ => Err(setting.error(format!("`by` names arguments, as in `{example}`"))),
    }
}

/// Refuses what is no argument, or is named twice.
pub(super) fn check<'a>(
    fields: &[Ident],
    arguments: &(impl Iterator<Item = &'a Argument> + Clone),
    errors: &mut Errors,
) {
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].contains(field) {
            errors.at(field, format!("`{}` is named twice", field.unraw()));
        } else if !arguments.clone().any(|it| it.field == *field) {
            let names = arguments
                .clone()
                .map(|it| format!("`{}`", it.field.unraw()));
            let names: Vec<String> = names.collect();
            let has = match names.as_slice() {
                [] => "this job has none".to_owned(),
                names => format!("the arguments are {}", names.join(", ")),
            };
            errors.at(field, format!("`{}` is no argument; {has}", field.unraw()));
        }
    }
}

/// The key, from `self`. Each value has the span of its type, for which `Key` may be missing.
pub(super) fn expression<'a>(
    fields: &[Ident],
    arguments: &(impl Iterator<Item = &'a Argument> + Clone),
) -> TokenStream {
    let parts = fields.iter().map(|field| {
        let argument = arguments.clone().find(|it| it.field == *field);
        let span = argument.map_or(field.span(), |it| it.ty.span());
        quote_spanned!(span.resolved_at(Span::mixed_site())=> &self.#field)
    });
    quote! {
        ::pgqueuer::__private::key(<Self as ::pgqueuer::__private::Job>::KIND, &[#(#parts),*])
    }
}
