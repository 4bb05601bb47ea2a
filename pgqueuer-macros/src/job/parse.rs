//! From tokens to a function. The body is not looked at.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{
    FnArg, Ident, LitStr, Signature, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use super::Attribute;

/// The user's function, without the helper attributes on its parameters.
pub(super) struct Function {
    pub(super) attributes: Vec<syn::Attribute>,
    pub(super) visibility: Visibility,
    pub(super) signature: Signature,
    body: TokenStream,
}

/// The attributes that were taken off one parameter.
pub(super) type Helpers = Vec<syn::Attribute>;

/// Parses the item and takes the helper attributes off, parameter by parameter.
pub(super) fn parse(
    attribute: Attribute,
    item: TokenStream,
) -> syn::Result<(Function, Vec<Helpers>)> {
    let parser = |input: ParseStream<'_>| {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        let visibility = input.parse()?;
        check_is_function(attribute, input)?;
        Ok(Function {
            attributes,
            visibility,
            signature: input.parse()?,
            body: input.parse()?,
        })
    };
    let mut function = parser.parse2(item)?;
    let helpers = function.signature.inputs.iter_mut().map(take_helpers);
    let helpers = helpers.collect();
    Ok((function, helpers))
}

// The compiler has parsed the item already, so this only has to tell a function
// from other items.
fn check_is_function(attribute: Attribute, input: ParseStream<'_>) -> syn::Result<()> {
    let ahead = input.fork();
    while ahead.peek(Token![const])
        || ahead.peek(Token![async])
        || ahead.peek(Token![unsafe])
        || ahead.peek(Token![extern])
        || ahead.peek(LitStr)
        || ahead
            .fork()
            .call(Ident::parse_any)
            .is_ok_and(|it| it == "safe")
    {
        ahead.parse::<TokenTree>()?;
    }
    if ahead.peek(Token![fn]) {
        return Ok(());
    }
    let attribute = attribute.as_str();
    Err(input.error(format!(
        "`{attribute}` goes on a function: `async fn name(…)`"
    )))
}

/// Our own attributes; docs, which rustc refuses on a parameter; and `cfg_attr`, which we
/// refuse and which may hide one of our own.
fn take_helpers(parameter: &mut FnArg) -> Helpers {
    let FnArg::Typed(parameter) = parameter else {
        return Helpers::new();
    };
    let is_helper = |attribute: &mut syn::Attribute| {
        let path = attribute.path();
        ["inject", "codec", "serde", "doc", "cfg_attr"]
            .iter()
            .any(|name| path.is_ident(name))
    };
    parameter.attrs.extract_if(.., is_helper).collect()
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
