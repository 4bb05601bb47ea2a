//! What is generated, as text. Whether it compiles and works is for the tests of the
//! library; these show a change of the expansion to whoever makes it.

#[path = "../../../tests/fuzz/src/properties/attributes.rs"]
mod any_text;

use std::fs;

use proc_macro2::TokenStream;
use quote::quote;

use super::{Attribute, transform};

/// Compares tokens, so that the layout of the expected code does not matter.
#[track_caller]
fn assert_expands(actual: &TokenStream, expected: &TokenStream) {
    let (actual, expected) = (actual.to_string(), expected.to_string());
    assert_eq!(actual, expected);
}

#[test]
fn a_job_is_its_function_an_impl_a_struct_and_a_registration() {
    let function = quote! {
        /// Sends the welcome mail.
        #[cfg(feature = "mail")]
        pub(crate) async fn send_welcome(
            user_id: i64,
            #[codec(json)] #[serde(rename = "language")] mut locale: Option<String>,
            mailer: State<Mailer>,
            context: &Context,
        ) -> Result<(), MailError> {
            mailer.welcome(user_id, locale).await
        }
    };
    let options = quote!(queue = "mail", timeout = "30s");

    let expected = quote! {
        /// Sends the welcome mail.
        #[cfg(feature = "mail")]
        pub(crate) async fn send_welcome(
            user_id: i64,
            mut locale: Option<String>,
            mailer: State<Mailer>,
            context: &Context,
        ) -> Result<(), MailError> {
            mailer.welcome(user_id, locale).await
        }

        #[cfg(feature = "mail")]
        #[automatically_derived]
        #[allow(deprecated, clippy::needless_update)]
        impl ::pgqueuer::__private::Job for SendWelcome {
            type Output = <Result<(), MailError> as ::pgqueuer::__private::IntoOutcome>::Output;
            const KIND: &'static ::core::primitive::str = "send_welcome";
            const OPTIONS: ::pgqueuer::__private::JobOptions = ::pgqueuer::__private::JobOptions {
                queue: "mail",
                timeout: ::core::option::Option::Some(::core::time::Duration::from_secs(30u64)),
                ..::pgqueuer::__private::JobOptions::DEFAULT
            };
            const SOURCE: ::pgqueuer::__private::Source = ::pgqueuer::__private::Source {
                file: ::core::file!(),
                line: ::core::line!(),
            };
            const ARGUMENTS: &'static [::pgqueuer::__private::Argument] = &[
                ::pgqueuer::__private::Argument { name: "user_id", type_name: "i64" },
                ::pgqueuer::__private::Argument { name: "language", type_name: "Option<String>" }
            ];

            fn requirements() -> ::std::vec::Vec<::pgqueuer::__private::Requirement> {
                <[_]>::concat(&[
                    <State<Mailer> as ::pgqueuer::__private::Inject>::requirements(),
                    <Context as ::pgqueuer::__private::Inject>::requirements()
                ])
            }

            fn encode(&self) -> ::pgqueuer::__private::Result<::pgqueuer::__private::Payload> {
                ::pgqueuer::__private::FrameWriter::new(<Self as ::pgqueuer::__private::Job>::KIND)
                    .argument("user_id", &self.user_id)?
                    .json_argument("language", &self.locale)?
                    .finish()
            }

            fn run(
                self,
                __pgqueuer_context: ::pgqueuer::__private::Context,
            ) -> ::pgqueuer::__private::Result<::pgqueuer::__private::HandlerFuture> {
                let __pgqueuer_2 =
                    <State<Mailer> as ::pgqueuer::__private::Inject>::inject(&__pgqueuer_context)?;
                let __pgqueuer_3 =
                    <Context as ::pgqueuer::__private::Inject>::inject(&__pgqueuer_context)?;
                ::core::result::Result::Ok(::pgqueuer::__private::handler_future(async move {
                    send_welcome(self.user_id, self.locale, __pgqueuer_2, &__pgqueuer_3).await
                }))
            }
        }

        /// Sends the welcome mail.
        #[cfg(feature = "mail")]
        #[derive(
            ::core::clone::Clone,
            ::core::fmt::Debug,
            ::pgqueuer::__private::serde::Serialize,
            ::pgqueuer::__private::serde::Deserialize,
        )]
        #[serde(crate = "::pgqueuer::__private::serde")]
        pub(crate) struct SendWelcome {
            #[doc = "The argument `user_id`."]
            pub(crate) user_id: i64,
            #[doc = "The argument `language`."]
            #[serde(rename = "language")]
            pub(crate) locale: Option<String>,
        }

        #[cfg(feature = "mail")]
        #[allow(deprecated)]
        const _: () = {
            ::pgqueuer::__private::inventory::submit! {
                ::pgqueuer::__private::JobDescriptor::of::<SendWelcome>()
            }
        };
    };
    assert_expands(&transform(Attribute::Job, options, function), &expected);
}

#[test]
fn a_schedule_is_one_constant_more() {
    let function = quote! { async fn cleanup() {} };

    let cron = transform(
        Attribute::Schedule,
        quote!("0 * * * *", tz = "Europe/Oslo", missed = "all up to 24"),
        function.clone(),
    );
    let every = quote!(every = "5m", overlap = "skip", changes = "yield");
    let every = transform(Attribute::Schedule, every, function);

    for (expansion, rule, zone, missed, overlap, changes) in [
        (
            cron,
            "0 * * * *",
            "Europe/Oslo",
            quote!(All { up_to: 24u16 }),
            quote!(Allow),
            quote!(Keep),
        ),
        (
            every,
            "every 5m",
            "UTC",
            quote!(Once),
            quote!(Skip),
            quote!(Yield),
        ),
    ] {
        let constant = quote! {
            const SCHEDULE: ::core::option::Option<::pgqueuer::__private::Schedule> =
                ::core::option::Option::Some(::pgqueuer::__private::Schedule::declared(
                    #rule,
                    #zone,
                    ::pgqueuer::__private::Missed::#missed,
                    ::pgqueuer::__private::Overlap::#overlap,
                    ::pgqueuer::__private::Changes::#changes,
                ));
        };
        let expansion = expansion.to_string();
        assert!(expansion.contains(&constant.to_string()), "{expansion}");
    }
}

#[test]
fn a_job_in_json_is_encoded_as_a_whole() {
    let function = quote! { async fn cleanup(days: u32) {} };

    let expansion = transform(Attribute::Job, quote!(codec = "json"), function).to_string();

    assert!(!expansion.contains("fn encode"), "{expansion}");
    assert!(expansion.contains("Codec :: Json"), "{expansion}");
}

#[test]
fn a_mistake_leaves_the_function_and_nothing_else() {
    let function = quote! { fn cleanup(#[codec(json)] days: u32) {} };

    let expansion = transform(Attribute::Job, TokenStream::new(), function);

    let expected = quote! {
        ::core::compile_error! { "a job is asynchronous; write `async fn`" }
        fn cleanup(days: u32) {}
    };
    assert_expands(&expansion, &expected);
}

/// What the fuzzer begins with, without a fuzzer.
#[test]
fn any_text_is_a_job_or_errors() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fuzz/seeds/attributes"
    );
    let mut expanded = 0;
    for seed in fs::read_dir(folder).unwrap() {
        let seed = seed.unwrap().path();
        // Shown if it fails.
        println!("{}", seed.display());
        expanded += any_text::check(&fs::read(seed).unwrap()).len();
    }
    assert!(expanded > 100, "only {expanded} are tokens");
}
