//! From the model to code. Decides nothing, and what it writes decides nothing
//! either: constants, and calls into `pgqueuer::__private`.
//!
//! Local names are hygienic *and* begin with underscores: a pattern that is a
//! plain name could otherwise be one of the user's constants.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, ReturnType, spanned::Spanned};

use super::{
    model::JobModel,
    options::{Backoff, Codec, OnFailure, Options},
    parameters::{Argument, Injected, Parameter},
    parse::Function,
};
use crate::schedule::Schedule;

pub(super) fn expand(function: &Function, model: &JobModel) -> TokenStream {
    let item = item(function, model);
    let implementation = implementation(function, model);
    let registration = registration(function, model);
    quote! {
        #function
        #item
        #implementation
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
    let fields = arguments(model).map(|argument| {
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
    let JobModel { name, kind, .. } = model;
    let aliases = aliases(&model.options);
    let options = options(&model.options);
    let source = source(&function.signature.ident);
    let argument_list = argument_list(model);
    let schedule = model.schedule.as_ref().map(schedule);
    let requirements = requirements(model);
    let encode = encode(model);
    let run = run(function, model);
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::pgqueuer::__private::Job for #name {
            const KIND: &'static ::core::primitive::str = #kind;
            #aliases
            #options
            #source
            #argument_list
            #schedule
            #requirements
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

fn aliases(options: &Options) -> Option<TokenStream> {
    let aliases = &options.aliases;
    (!aliases.is_empty()).then(|| {
        quote_spanned! {Span::mixed_site()=>
            const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#aliases),*];
        }
    })
}

fn options(options: &Options) -> Option<TokenStream> {
    let private = quote!(::pgqueuer::__private);
    let fields: Vec<TokenStream> = [
        options.queue.as_ref().map(|it| quote!(queue: #it)),
        options.priority.map(|it| quote!(priority: #it)),
        options.max_attempts.map(|it| quote!(max_attempts: #it)),
        options.timeout.map(|it| {
            let timeout = duration(it);
            quote!(timeout: ::core::option::Option::Some(#timeout))
        }),
        options.backoff.as_ref().map(|it| {
            let backoff = backoff(it);
            quote!(backoff: #backoff)
        }),
        options.on_failure.map(|it| match it {
            OnFailure::Hold => quote!(on_failure: #private::OnFailure::Hold),
            OnFailure::Discard => quote!(on_failure: #private::OnFailure::Discard),
        }),
        options.codec.map(|it| match it {
            Codec::Framed => quote!(codec: #private::Codec::Framed),
            Codec::Json => quote!(codec: #private::Codec::Json),
        }),
        options.retain.map(|it| {
            let retain = duration(it);
            quote!(retain: #retain)
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!fields.is_empty()).then(|| {
        quote_spanned! {Span::mixed_site()=>
            const OPTIONS: #private::JobOptions = #private::JobOptions {
                #(#fields,)*
                ..#private::JobOptions::DEFAULT
            };
        }
    })
}

fn backoff(backoff: &Backoff) -> TokenStream {
    match backoff {
        Backoff::Fixed(delay) => {
            let delay = duration(*delay);
            quote!(::pgqueuer::__private::Backoff::fixed(#delay))
        }
        Backoff::Growing {
            base,
            factor,
            max,
            jitter,
        } => {
            let base = base.map(duration).map(|it| quote!(base: #it,));
            let factor = factor.map(|it| quote!(factor: #it,));
            let max = max.map(duration).map(|it| quote!(max: #it,));
            let jitter = jitter.map(|it| quote!(jitter: #it,));
            quote! {
                ::pgqueuer::__private::Backoff {
                    #base #factor #max #jitter
                    ..::pgqueuer::__private::Backoff::DEFAULT
                }
            }
        }
    }
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    if nanoseconds == 0 {
        quote!(::core::time::Duration::from_secs(#seconds))
    } else {
        quote!(::core::time::Duration::new(#seconds, #nanoseconds))
    }
}

fn source(function: &Ident) -> TokenStream {
    // `line!()` is the line of the outermost macro call around it. With the span
    // of the function's name that is no macro of ours, so it is the name's line.
    let file = quote_spanned!(function.span()=> ::core::file!());
    let line = quote_spanned!(function.span()=> ::core::line!());
    quote_spanned! {Span::mixed_site()=>
        const SOURCE: ::pgqueuer::__private::Source = ::pgqueuer::__private::Source {
            file: #file,
            line: #line,
        };
    }
}

fn argument_list(model: &JobModel) -> Option<TokenStream> {
    let list: Vec<TokenStream> = arguments(model)
        .map(
            |Argument {
                 name, type_name, ..
             }| {
                quote!(::pgqueuer::__private::Argument { name: #name, type_name: #type_name })
            },
        )
        .collect();
    (!list.is_empty()).then(|| {
        quote_spanned! {Span::mixed_site()=>
            const ARGUMENTS: &'static [::pgqueuer::__private::Argument] = &[#(#list),*];
        }
    })
}

fn schedule(schedule: &Schedule) -> TokenStream {
    let schedule = match schedule {
        Schedule::Cron { expression, zone } => {
            let zone = zone
                .as_ref()
                .map_or_else(|| quote!("UTC"), ToTokens::to_token_stream);
            quote!(Cron { expression: #expression, zone: #zone })
        }
        Schedule::Every(interval) => {
            let interval = duration(*interval);
            quote!(Every(#interval))
        }
    };
    quote_spanned! {Span::mixed_site()=>
        const SCHEDULE: ::core::option::Option<::pgqueuer::__private::Schedule> =
            ::core::option::Option::Some(::pgqueuer::__private::Schedule::#schedule);
    }
}

fn requirements(model: &JobModel) -> Option<TokenStream> {
    let types: Vec<_> = injected(model).map(|it| &it.ty).collect();
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

fn encode(model: &JobModel) -> Option<TokenStream> {
    if model.options.codec == Some(Codec::Json) {
        return None;
    }
    let calls = arguments(model).map(|argument| {
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

fn arguments(model: &JobModel) -> impl Iterator<Item = &Argument> {
    model.parameters.iter().filter_map(|it| match it {
        Parameter::Argument(argument) => Some(argument),
        Parameter::Injected(_) => None,
    })
}

fn injected(model: &JobModel) -> impl Iterator<Item = &Injected> {
    model.parameters.iter().filter_map(|it| match it {
        Parameter::Injected(injected) => Some(injected),
        Parameter::Argument(_) => None,
    })
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
