//! The constants of a job: all that is known about it before it runs.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{ReturnType, spanned::Spanned};

use super::{
    model::JobModel,
    options::{Backoff, Codec, OnFailure, Options},
    parameters::Argument,
    parse::Function,
    unique::Unique,
};
use crate::schedule::{Missed, Schedule};

/// The constants of `impl Job` that differ from their defaults.
pub(super) fn of(function: &Function, model: &JobModel) -> TokenStream {
    let output = output(&function.signature.output);
    let kind = &model.kind;
    let aliases = aliases(&model.options);
    let options = options(&model.options);
    let source = source(&function.signature.ident);
    let arguments = arguments(model);
    let schedule = model.schedule.as_ref().map(schedule);
    quote_spanned! {Span::mixed_site()=>
        #output
        const KIND: &'static ::core::primitive::str = #kind;
        #aliases
        #options
        #source
        #arguments
        #schedule
    }
}

/// What the function returns says what the job results in.
fn output(returned: &ReturnType) -> TokenStream {
    let ReturnType::Type(_, ty) = returned else {
        return quote_spanned!(Span::mixed_site()=> type Output = (););
    };
    let span = ty.span().resolved_at(Span::mixed_site());
    quote_spanned!(span=> type Output = <#ty as ::pgqueuer::__private::IntoOutcome>::Output;)
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
        options
            .backoff
            .as_ref()
            .and_then(backoff)
            .map(|it| quote!(backoff: #it)),
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
        options.limits.constant(),
        options.unique.as_ref().map(Unique::constant),
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

fn backoff(backoff: &Backoff) -> Option<TokenStream> {
    let constant = match backoff {
        // A strategy: it has no end.
        Backoff::List(_) => return None,
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
    };
    Some(constant)
}

pub(super) fn duration(duration: Duration) -> TokenStream {
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

fn arguments(model: &JobModel) -> Option<TokenStream> {
    let list: Vec<TokenStream> = model
        .arguments()
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
    let private = quote!(::pgqueuer::__private);
    let Schedule {
        rule,
        zone,
        missed,
        overlap,
        changes,
    } = schedule;
    let zone = zone
        .as_ref()
        .map_or_else(|| quote!("UTC"), ToTokens::to_token_stream);
    let missed = match missed {
        Missed::Skip => quote!(Skip),
        Missed::Once => quote!(Once),
        Missed::All(None) => quote!(ALL),
        Missed::All(Some(up_to)) => quote!(All { up_to: #up_to }),
    };
    let (overlap, changes) = (format_ident!("{overlap}"), format_ident!("{changes}"));
    quote_spanned! {Span::mixed_site()=>
        const SCHEDULE: ::core::option::Option<#private::Schedule> =
            ::core::option::Option::Some(#private::Schedule::declared(
                #rule,
                #zone,
                #private::Missed::#missed,
                #private::Overlap::#overlap,
                #private::Changes::#changes,
            ));
    }
}
