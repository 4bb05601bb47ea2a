//! From the model to code. Decides nothing, and what it writes decides nothing
//! either: constants, and calls into `pgqueuer::__private`.
//!
//! Local names are hygienic *and* begin with underscores: a pattern that is a
//! plain name could otherwise be one of the user's constants.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, ReturnType, spanned::Spanned};

use super::{
    constants,
    model::JobModel,
    options::{Backoff, Codec},
    parameters::{Argument, Injected, Parameter},
    parse::Function,
};

pub(super) fn expand(function: &Function, model: &JobModel) -> TokenStream {
    let item = item(function, model);
    let implementation = implementation(function, model);
    let registration = registration(function, model);
    // The struct comes after the implementation, because errors come in this order, and what
    // the implementation says of an argument that is not serializable is the clearer message.
    quote! {
        #function
        #implementation
        #item
        #registration
    }
}

/// The struct whose fields are the arguments.
fn item(function: &Function, model: &JobModel) -> TokenStream {
    let attributes = function.attributes.iter().filter(|it| {
        ["doc", "cfg", "allow", "deprecated"]
            .iter()
            .any(|name| it.path().is_ident(name))
    });
    let visibility = &function.visibility;
    let name = &model.name;
    let fields = model.arguments().map(|argument| {
        let Argument {
            field,
            ty,
            docs,
            serde,
            ..
        } = argument;
        // Written for `missing_docs`, which also looks at what a macro makes.
        let docs = if docs.is_empty() {
            let text = format!("The argument `{}`.", argument.name.value());
            // The span of the type: serde takes the first token for the place of its errors.
            quote_spanned!(located(ty)=> #[doc = #text])
        } else {
            quote!(#(#docs)*)
        };
        quote! { #docs #(#serde)* #visibility #field: #ty }
    });
    quote_spanned! {Span::mixed_site()=>
        #(#attributes)*
        #[derive(
            ::core::clone::Clone,
            ::core::fmt::Debug,
            ::pgqueuer::__private::serde::Serialize,
            ::pgqueuer::__private::serde::Deserialize,
        )]
        #[serde(crate = "::pgqueuer::__private::serde")]
        #visibility struct #name {
            #(#fields,)*
        }
    }
}

fn implementation(function: &Function, model: &JobModel) -> TokenStream {
    let cfgs = cfgs(function);
    let name = &model.name;
    let constants = constants::of(function, model);
    let limit_key = model.options.limits.key(&model.arguments());
    let unique_key = model.options.unique.as_ref();
    let unique_key = unique_key.map(|it| it.key(&model.arguments()));
    let requirements = requirements(model);
    let executor = executor(model);
    let retry_strategy = retry_strategy(model);
    let encode = encode(model);
    let run = run(function, model);
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated, clippy::needless_update)]
        impl ::pgqueuer::__private::Job for #name {
            #constants
            #limit_key
            #unique_key
            #requirements
            #executor
            #retry_strategy
            #encode
            #run
        }
    }
}

fn registration(function: &Function, model: &JobModel) -> TokenStream {
    let cfgs = cfgs(function);
    let name = &model.name;
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = {
            ::pgqueuer::__private::inventory::submit! {
                ::pgqueuer::__private::JobDescriptor::of::<#name>()
            }
        };
    }
}

fn requirements(model: &JobModel) -> Option<TokenStream> {
    let types: Vec<_> = model.injected().map(|it| &it.ty).collect();
    (!types.is_empty()).then(|| {
        let calls = types.iter().map(|ty| {
            quote_spanned!(located(ty)=> <#ty as ::pgqueuer::__private::Inject>::requirements())
        });
        quote_spanned! {Span::mixed_site()=>
            fn requirements() -> ::std::vec::Vec<::pgqueuer::__private::Requirement> {
                <[_]>::concat(&[#(#calls),*])
            }
        }
    })
}

fn executor(model: &JobModel) -> Option<TokenStream> {
    let expression = model.options.executor.as_ref()?;
    let private = quote!(::pgqueuer::__private);
    let made = quote_spanned!(located(expression)=> #private::executor(#expression));
    Some(quote_spanned! {Span::mixed_site()=>
        fn executor() -> ::core::option::Option<::std::sync::Arc<dyn #private::Executor>> {
            #made
        }
    })
}

fn retry_strategy(model: &JobModel) -> Option<TokenStream> {
    let private = quote!(::pgqueuer::__private);
    let made = match (&model.options.retry, &model.options.backoff) {
        (Some(expression), _) => {
            quote_spanned!(located(expression)=> #private::retry_strategy(#expression))
        }
        (None, Some(Backoff::List(waits))) => {
            let waits = waits.iter().copied().map(constants::duration);
            quote!(#private::retry_strategy([#(#waits),*]))
        }
        (None, _) => return None,
    };
    Some(quote_spanned! {Span::mixed_site()=>
        fn retry_strategy() -> ::core::option::Option<::std::sync::Arc<dyn #private::RetryStrategy>> {
            #made
        }
    })
}

fn encode(model: &JobModel) -> Option<TokenStream> {
    if model.options.codec == Some(Codec::Json) {
        return None;
    }
    let calls = model.arguments().map(|argument| {
        let Argument {
            field,
            name,
            ty,
            codec,
            ..
        } = argument;
        let method = match codec {
            Codec::Framed => quote!(argument),
            Codec::Json => quote!(json_argument),
        };
        quote_spanned!(located(ty)=> .#method(#name, &self.#field)?)
    });
    Some(quote_spanned! {Span::mixed_site()=>
        fn encode(&self) -> ::pgqueuer::__private::Result<::pgqueuer::__private::Payload> {
            ::pgqueuer::__private::FrameWriter::new(<Self as ::pgqueuer::__private::Job>::KIND)
                #(#calls)*
                .finish()
        }
    })
}

fn run(function: &Function, model: &JobModel) -> TokenStream {
    let handler = &function.signature.ident;
    let context = Ident::new("__pgqueuer_context", Span::mixed_site());
    let mut injections = Vec::new();
    let mut values = Vec::new();
    for (index, parameter) in model.parameters.iter().enumerate() {
        match parameter {
            Parameter::Argument(Argument { field, .. }) => {
                values.push(quote_spanned!(Span::mixed_site()=> self.#field));
            }
            Parameter::Injected(Injected { ty, reference }) => {
                let local = format_ident!("__pgqueuer_{index}", span = Span::mixed_site());
                let inject = quote_spanned! {located(ty)=>
                    <#ty as ::pgqueuer::__private::Inject>::inject(&#context)?
                };
                injections.push(quote_spanned!(Span::mixed_site()=> let #local = #inject;));
                values.push(quote!(#reference #local));
            }
        }
    }
    let call = quote_spanned! {located(handler)=>
        async move { #handler(#(#values),*).await }
    };
    // An error about what the handler returns belongs where that is written.
    let boxed = match &function.signature.output {
        ReturnType::Type(_, ty) => located(ty),
        ReturnType::Default => located(handler),
    };
    let boxed = quote_spanned!(boxed=> ::pgqueuer::__private::handler_future(#call));
    quote_spanned! {Span::mixed_site()=>
        fn run(
            self,
            #context: ::pgqueuer::__private::Context,
        ) -> ::pgqueuer::__private::Result<::pgqueuer::__private::HandlerFuture> {
            #(#injections)*
            ::core::result::Result::Ok(#boxed)
        }
    }
}

fn cfgs(function: &Function) -> impl Iterator<Item = &Attribute> {
    function
        .attributes
        .iter()
        .filter(|it| it.path().is_ident("cfg"))
}

/// Where the user wrote this, but hygienic like all the rest.
fn located(tokens: &impl Spanned) -> Span {
    tokens.span().resolved_at(Span::mixed_site())
}
