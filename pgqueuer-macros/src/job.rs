//! `#[job]` and `#[schedule]`, in three stages: parse, model, expand.

mod constants;
mod expand;
mod helpers;
mod keys;
mod limits;
mod model;
pub(crate) mod options;
mod owned;
mod parameters;
mod parse;
mod type_name;
mod unique;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use self::{model::JobModel, parse::Function};

/// Which of the attributes is being expanded.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Attribute {
    Job,
    Schedule,
}

impl Attribute {
    /// As people write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Job => "#[job]",
            Self::Schedule => "#[schedule]",
        }
    }
}

pub(crate) fn transform(
    attribute: Attribute,
    options: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let (function, helpers) = match parse::parse(attribute, item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let mut tokens = error.to_compile_error();
            tokens.extend(item);
            return tokens;
        }
    };
    match JobModel::new(attribute, options, &function, helpers) {
        Ok(model) => expand::expand(&function, &model),
        Err(error) => with_errors(&function, &error),
    }
}

/// Keeps the user's function, or every call of it would be one more error.
fn with_errors(function: &Function, error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote! { #errors #function }
}
